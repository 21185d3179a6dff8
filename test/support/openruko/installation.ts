/** An Openruko installation on loopback: API server, dyno host, and the repositories on which its dynos run git. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiServer, SERVICE_KEY, type ApiServerOptions } from './api-server.js';
import { Authority, type Identity } from './certificates.js';
import { DynoHost, type DynoHostOptions, type Job } from './dyno-host.js';

export interface InstallationOptions {
  readonly api?: Partial<ApiServerOptions>;
  readonly dynoHost?: Partial<DynoHostOptions>;
}

/** Nothing of whoever runs this machine decides what a dyno does. */
const OWN_CONFIG = ['env', 'GIT_CONFIG_GLOBAL=/dev/null', 'GIT_CONFIG_NOSYSTEM=1'];

export class Installation {
  readonly api: ApiServer;
  readonly dynoHost: DynoHost;
  /** What both show, unless the options say otherwise. */
  readonly identity: Identity;
  /** PEM: who signed it. */
  readonly caFile: string;
  /** Apps that its dyno host has no room for. */
  readonly withoutRoom = new Set<string>();
  /** What is to happen to the next dynos. */
  nextJobs: Omit<Job, 'argv'> = {};
  readonly #folder: string;

  private constructor(folder: string, identity: Identity, caFile: string, api: ApiServer, dynoHost: DynoHost) {
    this.#folder = folder;
    this.identity = identity;
    this.caFile = caFile;
    this.api = api;
    this.dynoHost = dynoHost;
  }

  /** @param folder empty, and removed by whoever made it. */
  static async start(folder: string, options: InstallationOptions = {}): Promise<Installation> {
    const authority = new Authority();
    const identity = authority.issue();
    const caFile = join(folder, 'ca.crt');
    writeFileSync(caFile, authority.certificate);
    const dynoHost = await DynoHost.start({ identity, ...options.dynoHost });
    const api = await ApiServer.start({
      identity,
      takeJob: (app, command) => installation.#take(app, command),
      ...options.api,
    });
    const installation = new Installation(folder, identity, caFile, api, dynoHost);
    return installation;
  }

  /** What gitmouth needs to stand in front of it. */
  get environment(): Record<string, string> {
    return {
      GITMOUTH_PLATFORM: 'openruko',
      APISERVER_KEY: SERVICE_KEY,
      APISERVER_PORT: String(this.api.port),
      DYNOHOST_RENDEZVOUS_PORT: String(this.dynoHost.port),
      GITMOUTH_API_CA: this.caFile,
      GITMOUTH_DYNO_HOST_CA: this.caFile,
    };
  }

  /** @param user the number that the API server knows them by. */
  createApp(app: string, user: string): void {
    const repository = this.repository(app);
    mkdirSync(repository, { recursive: true });
    execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', repository], { stdio: 'pipe' });
    this.api.createApp(app, user);
  }

  /** The app's repository, which its dynos have at /app. */
  repository(app: string): string {
    return join(this.#folder, 'apps', `${app}.git`);
  }

  /** A hook that the app's dynos run: the lines of a shell script. */
  hook(app: string, name: 'pre-receive' | 'post-receive', ...lines: readonly string[]): void {
    const file = join(this.repository(app), 'hooks', name);
    mkdirSync(join(this.repository(app), 'hooks'), { recursive: true });
    writeFileSync(file, ['#!/bin/sh', ...lines, ''].join('\n'));
    chmodSync(file, 0o755);
  }

  async stop(): Promise<void> {
    await this.api.stop();
    await this.dynoHost.stop();
  }

  #take(app: string, command: string): { host: string; dyno_id: string } | undefined {
    if (this.withoutRoom.has(app)) return undefined;
    const argv = [...OWN_CONFIG, 'git', command.slice('git-'.length), this.repository(app)];
    return { host: 'localhost', dyno_id: this.dynoHost.take(argv, this.nextJobs) };
  }
}

/** As the API server has it of a public key: hex digits without colons. */
export function md5OfKeyFile(file: string): string {
  const [, blob = ''] = readFileSync(file, 'utf8').split(' ');
  return createHash('md5').update(Buffer.from(blob, 'base64')).digest('hex');
}
