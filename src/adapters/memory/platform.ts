import type { AppFacts, CreationRule } from '../../domain/access-policy.js';
import type { AppAccess } from '../../domain/grant.js';
import type { PublicKey } from '../../domain/public-key.js';
import type { EndReason } from '../../domain/session-end.js';
import type { Caller } from '../../domain/session.js';

interface App {
  readonly name: string;
  readonly owner: string;
  readonly shares: Map<string, 'read' | 'write'>;
  archive: boolean;
  branch: string | undefined;
}

/** Users with their keys, and apps: what the other memory adapters answer from. */
export class MemoryPlatform {
  creation: CreationRule = { onPush: false, limit: 100 };
  readonly #users = new Map<string, Set<string>>();
  readonly #apps = new Map<string, App>();
  readonly #watchers = new Set<() => void>();

  /** Gives the user one more key; the first makes the user. */
  register(user: string, key: PublicKey): void {
    const keys = this.#users.get(user) ?? new Set();
    this.#users.set(user, keys.add(key.sha256));
  }

  removeKey(user: string, key: PublicKey): void {
    this.#users.get(user)?.delete(key.sha256);
    this.#tell();
  }

  /** The user's shares go with them; apps stay, as their owner's name does. */
  removeUser(user: string): void {
    this.#users.delete(user);
    for (const app of this.#apps.values()) app.shares.delete(user);
    this.#tell();
  }

  userOf(key: PublicKey): string | undefined {
    for (const [user, keys] of this.#users) if (keys.has(key.sha256)) return user;
    return undefined;
  }

  has(user: string): boolean {
    return this.#users.has(user);
  }

  /** Why a proven caller is one no longer; undefined while they are. */
  removalOf(caller: Caller): EndReason | undefined {
    const keys = this.#users.get(caller.user.name);
    if (keys === undefined) return 'user-removed';
    // A certificate says whose key it is, registered or not.
    return caller.certificate !== undefined || keys.has(caller.key.sha256) ? undefined : 'key-removed';
  }

  /** Tells of each removal of a user or key. */
  onRemoval(watcher: () => void): void {
    this.#watchers.add(watcher);
  }

  createApp(name: string, owner: string): void {
    this.#apps.set(name, { name, owner, shares: new Map(), archive: false, branch: undefined });
  }

  destroyApp(name: string): void {
    this.#apps.delete(name);
  }

  share(name: string, user: string, access: 'read' | 'write'): void {
    this.#apps.get(name)?.shares.set(user, access);
  }

  unshare(name: string, user: string): void {
    this.#apps.get(name)?.shares.delete(user);
  }

  set(name: string, settings: { archive?: boolean; branch?: string }): void {
    Object.assign(this.#apps.get(name) ?? {}, settings);
  }

  /** What this user is to know of the app. */
  factsFor(user: string, name: string): AppFacts | undefined {
    const app = this.#apps.get(name);
    if (app === undefined) return undefined;
    const { owner, archive, branch } = app;
    const shared = app.shares.get(user);
    return {
      name,
      owner,
      archive,
      ...(shared === undefined ? {} : { shared }),
      ...(branch === undefined ? {} : { branch }),
    };
  }

  /** In the order of their names. */
  appsOf(user: string): readonly AppAccess[] {
    return [...this.#apps.values()]
      .map(({ name, owner, shares }) => ({ app: name, access: owner === user ? 'write' : shares.get(user) }))
      .filter((one): one is AppAccess => one.access !== undefined)
      .sort((one, other) => (one.app < other.app ? -1 : 1));
  }

  ownedBy(user: string): number {
    return [...this.#apps.values()].filter(({ owner }) => owner === user).length;
  }

  #tell(): void {
    for (const watcher of this.#watchers) watcher();
  }
}
