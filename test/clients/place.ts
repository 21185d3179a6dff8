/** A door with one user who holds a key of each kind, and the home that clients are run in. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AlgorithmSet } from '../../src/domain/algorithm-set.js';
import { Door, Person } from '../support/door.js';
import { temporaryFolder } from '../support/temporary.js';
import type { Visit } from './client.js';
import type { KeyKind } from './keys.js';

interface HostKey {
  readonly fingerprint: string;
  readonly publicKey: string;
}

export class Place {
  readonly #keys: ReadonlyMap<KeyKind, string>;
  readonly #hostKeys: readonly HostKey[];
  readonly #host: string;
  readonly home: string;
  readonly knownHosts: string;

  private constructor(
    readonly door: Door,
    host: string,
    keys: ReadonlyMap<KeyKind, string>,
    hostKeys: readonly HostKey[],
  ) {
    this.#host = host;
    this.#keys = keys;
    this.#hostKeys = hostKeys;
    this.home = temporaryFolder('guest');
    this.knownHosts = join(this.home, '.ssh/known_hosts');
    mkdirSync(join(this.home, '.ssh'), { mode: 0o700 });
    const lines = (...names: readonly string[]) =>
      names.flatMap((name) => hostKeys.map(({ publicKey }) => `${name} ${publicKey}\n`)).join('');
    // dbclient knows hosts by their name alone, whatever the port.
    writeFileSync(this.knownHosts, lines(`[${host}]:${door.port}`, host));
    // JGit leaves the brackets around an IPv6 address.
    writeFileSync(`${this.knownHosts}_jsch`, lines(`[${host}]:${door.port}`, `[[${host}]]:${door.port}`));
  }

  /** @param host the loopback address that the door listens on. */
  static async open(
    keys: ReadonlyMap<KeyKind, string>,
    algorithms: AlgorithmSet,
    { host = '127.0.0.1', ...environment }: Readonly<Record<string, string>> = {},
  ): Promise<Place> {
    const listen = `${host.includes(':') ? `[${host}]` : host}:0`;
    const door = new Door({ GITMOUTH_ALGORITHMS: algorithms, GITMOUTH_LISTEN: listen, ...environment });
    await door.start();
    const files = [...keys.values()].flatMap((file) => ['--key', `${file}.pub`]);
    const added = await door.cli('user', 'add', 'alice', ...files);
    if (added.code !== 0) throw new Error(added.stderr);
    const { stdout } = await door.cli('hostkey', 'show', '--json');
    return new Place(door, host, keys, JSON.parse(stdout) as readonly HostKey[]);
  }

  /** Alice with her Ed25519 key and OpenSSH, for what is no test of a client. */
  get alice(): Person {
    return new Person('alice', this.home, this.keyFile('Ed25519'), this.door);
  }

  keyFile(kind: KeyKind): string {
    return this.#keys.get(kind) ?? '';
  }

  visit(kind: KeyKind, app: string): Visit {
    const { home, knownHosts } = this;
    return {
      url: `ssh://git@${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${this.door.port}/${app}.git`,
      home,
      knownHosts,
      keyFile: this.keyFile(kind),
      hostKeys: this.#hostKeys.map(({ fingerprint, publicKey }) => ({
        fingerprint,
        base64: publicKey.split(' ')[1] ?? '',
      })),
    };
  }

  stop(): Promise<void> {
    return this.door.stop();
  }
}
