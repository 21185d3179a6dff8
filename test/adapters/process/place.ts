import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { ProcessTransport } from '../../../src/adapters/process/process-transport.js';
import type { Sandbox } from '../../../src/adapters/process/sandbox.js';
import type { Fence } from '../../../src/domain/dyno.js';
import { temporaryFolder } from '../../support/temporary.js';
import { GitDaemon } from './git-daemon.js';
import { bareRepository, scriptFolder } from './ground.js';

export interface Result {
  readonly code: number;
  readonly stderr: string;
  readonly stdout: string;
}

const CLIENT = { PATH: process.env['PATH'] ?? '', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', HOME: '/' };
const WHO = ['-c', 'user.name=Anna', '-c', 'user.email=anna@example.com'];

/** A repository behind a door, and a clone to push from. */
export class Place {
  readonly repository: string;
  readonly clone: string;
  readonly #daemon: GitDaemon;
  #url = '';

  private constructor(
    sandbox: Sandbox,
    operatorHooks: string | undefined,
    environment: Record<string, string>,
    fence: Fence | undefined,
  ) {
    this.repository = bareRepository();
    this.clone = temporaryFolder('clone');
    const transport = new ProcessTransport({
      sandbox,
      graceMs: 2_000,
      ...(operatorHooks === undefined ? {} : { operatorHooks }),
    });
    this.#daemon = new GitDaemon(transport, (service) => ({
      id: 'dyno-1',
      link: {
        kind: 'process',
        repository: this.repository,
        plan: { service, access: 'write', environment, secrets: [] },
        ...(fence === undefined ? {} : { fence }),
      },
    }));
  }

  static async open(
    sandbox: Sandbox,
    scripts: Readonly<Record<string, string>> | undefined,
    environment: Record<string, string> = {},
    fence?: Fence,
  ): Promise<Place> {
    const place = new Place(sandbox, scripts === undefined ? undefined : scriptFolder(scripts), environment, fence);
    place.#url = await place.#daemon.start();
    await place.git('init', '--quiet', '--initial-branch=main', '.');
    await place.commit();
    return place;
  }

  async commit(): Promise<void> {
    await this.git(...WHO, 'commit', '--quiet', '--allow-empty', '--message', 'a change');
  }

  git(...args: string[]): Promise<Result> {
    return new Promise((resolve) => {
      execFile('git', args, { cwd: this.clone, env: CLIENT, timeout: 25_000 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
      );
    });
  }

  push(...refs: string[]): Promise<Result> {
    return this.git('push', this.#url, ...refs);
  }

  /** A push whose output is read while it runs. */
  startPush(...refs: string[]): ReturnType<typeof spawn> {
    return spawn('git', ['push', this.#url, ...refs], { cwd: this.clone, env: CLIENT });
  }

  /** What git said on standard error of its own, which these clients are not shown. */
  get said(): string {
    return this.#daemon.said;
  }

  head(): string {
    return readFileSync(join(this.repository, 'HEAD'), 'utf8').trim();
  }

  has(branch: string): boolean {
    return existsSync(join(this.repository, 'refs/heads', branch));
  }

  async close(): Promise<void> {
    await this.#daemon.stop();
    expect(this.#daemon.failures).toEqual([]);
  }
}
