/** A platform on loopback with dynos of its own: its API, and an OpenSSH server that runs git on its repositories. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Authority } from '../openruko/certificates.js';
import { DYNO_USER, Sshd } from '../ssh-dyno/sshd.js';
import type { BindingBody } from './people-and-apps.js';
import { PlatformServer } from './platform-server.js';
import type { LinkBody, OpenBody } from './sessions.js';

/** What its dynos take as environment; all else comes before the command. */
const ACCEPTED = 'GIT_PROTOCOL GITMOUTH_* DATABASE_URL';

export const SHARED_SECRET = 'shared-0b1c2d3e4f';

export class PlatformInstallation {
  readonly api: PlatformServer;
  /** What gitmouth is to show; given once it has made it. */
  dynoKey = '';
  /** Of the next dynos, in place of the real one. */
  hostKey: string | undefined;
  readonly #folder: string;
  readonly #caFile: string;
  #sshd: Sshd | undefined;

  private constructor(folder: string, caFile: string, api: PlatformServer) {
    this.#folder = folder;
    this.#caFile = caFile;
    this.api = api;
  }

  /** @param folder empty, and removed by whoever made it. */
  static async start(folder: string): Promise<PlatformInstallation> {
    const authority = new Authority();
    const caFile = join(folder, 'ca.crt');
    writeFileSync(caFile, authority.certificate);
    const credential = { kind: 'hmac', secret: SHARED_SECRET } as const;
    const maker = { open: (request: OpenBody) => installation.#open(request) };
    const api = await PlatformServer.start({ identity: authority.issue(), prefix: '/git', maker, credential });
    const installation = new PlatformInstallation(folder, caFile, api);
    return installation;
  }

  /** What gitmouth needs to stand in front of it. */
  get environment(): Record<string, string> {
    return {
      GITMOUTH_PLATFORM: 'http',
      GITMOUTH_API_URL: this.api.url,
      GITMOUTH_API_SECRET: SHARED_SECRET,
      GITMOUTH_API_CA: this.#caFile,
    };
  }

  /** Another one, with another host key, once the dynos' server was stopped. */
  async startDynos(): Promise<void> {
    this.#sshd = await Sshd.start(this.dynoKey, { acceptEnv: ACCEPTED });
  }

  async stopDynos(): Promise<void> {
    await this.#sshd?.stop();
    this.#sshd = undefined;
  }

  /** Its dynos take connections and say nothing to them, until `goOn`. */
  standStill(): void {
    this.#sshd?.standStill();
  }

  goOn(): void {
    this.#sshd?.goOn();
  }

  register(user: string, publicKeyFile: string, binding?: BindingBody): void {
    const [, blob = ''] = readFileSync(publicKeyFile, 'utf8').split(' ');
    this.api.people.register(user, Buffer.from(blob, 'base64'), binding);
  }

  createApp(app: string, owner: string): void {
    const repository = this.repository(app);
    mkdirSync(repository, { recursive: true });
    execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', repository], { stdio: 'pipe' });
    this.api.people.createApp(app, owner);
  }

  /** The app's repository, as its dynos have it too. */
  repository(app: string): string {
    return join(this.#folder, 'apps', `${app}.git`);
  }

  /** A hook that the app's dynos run: the lines of a shell script. */
  hook(app: string, name: 'pre-receive' | 'post-receive', ...lines: readonly string[]): void {
    const folder = join(this.repository(app), 'hooks');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), ['#!/bin/sh', ...lines, ''].join('\n'));
    chmodSync(join(folder, name), 0o755);
  }

  async stop(): Promise<void> {
    await this.api.stop();
    await this.stopDynos();
  }

  async #open({ app }: OpenBody): Promise<LinkBody | undefined> {
    const sshd = this.#sshd;
    if (sshd === undefined) return undefined;
    return {
      kind: 'ssh',
      host: '127.0.0.1',
      port: sshd.port,
      user: DYNO_USER,
      host_key: this.hostKey ?? sshd.hostKey,
      repository: this.repository(app),
    };
  }
}
