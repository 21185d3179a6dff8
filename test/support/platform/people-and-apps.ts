/** What a small platform knows, and its rules. */
import { createHash } from 'node:crypto';

/** As in docs/platform-api.yaml. */
export interface KeyBody {
  readonly algorithm: string;
  readonly blob: string;
  readonly sha256: string;
  readonly md5: string;
}

export interface CertificateBody {
  readonly key_id: string;
  readonly serial: string;
  readonly principals: readonly string[];
  readonly authority: string;
  readonly valid_after: number | null;
  readonly valid_before: number | null;
}

export interface FindUserBody {
  readonly key: KeyBody;
  /** Named by a certificate, where one was shown. */
  readonly user?: string;
  readonly certificate?: CertificateBody;
}

export interface AuthorizeBody {
  readonly user: string;
  readonly key: KeyBody;
  readonly certificate?: CertificateBody;
  readonly address: string;
  readonly app: string;
  readonly service: string;
  readonly protocol: number;
}

export interface BindingBody {
  readonly apps?: readonly string[];
  readonly access?: 'read' | 'write';
}

interface App {
  readonly owner: string;
  readonly shares: Map<string, 'read' | 'write'>;
  hasArchive: boolean;
  isReadOnly: boolean;
  branch?: string;
}

export class PeopleAndApps {
  /** Text for everybody who asks for anything. */
  maintenance: string | undefined;
  creation = { onPush: false, limit: 0 };
  /** More for each grant. */
  grantMore: object = {};
  /** By the blob in base64, which is the key itself. */
  /** Lines of the keys whose certificates count. */
  authorities: string[] = [];
  readonly #users = new Set<string>();
  readonly #keys = new Map<string, { readonly user: string; readonly binding?: BindingBody }>();
  readonly #apps = new Map<string, App>();
  readonly #newNames = new Map<string, string>();

  /** @param blob of one more key of the user; the first makes the user. */
  register(user: string, blob: Uint8Array, binding?: BindingBody): void {
    this.#users.add(user);
    this.#keys.set(base64(blob), { user, ...(binding === undefined ? {} : { binding }) });
  }

  removeKey(blob: Uint8Array): void {
    this.#keys.delete(base64(blob));
  }

  removeUser(user: string): void {
    this.#users.delete(user);
    for (const [blob, holder] of this.#keys) if (holder.user === user) this.#keys.delete(blob);
    for (const { shares } of this.#apps.values()) shares.delete(user);
  }

  createApp(name: string, owner: string): void {
    this.#apps.set(name, { owner, shares: new Map(), hasArchive: false, isReadOnly: false });
  }

  destroyApp(name: string): void {
    this.#apps.delete(name);
  }

  hasApp(name: string): boolean {
    return this.#apps.has(name);
  }

  share(app: string, user: string, access: 'read' | 'write'): void {
    this.#app(app).shares.set(user, access);
  }

  unshare(app: string, user: string): void {
    this.#app(app).shares.delete(user);
  }

  setArchive(app: string, on: boolean): void {
    this.#app(app).hasArchive = on;
  }

  setBranch(app: string, branch: string): void {
    this.#app(app).branch = branch;
  }

  setReadOnly(app: string): void {
    this.#app(app).isReadOnly = true;
  }

  /** The old name still works. */
  rename(from: string, to: string): void {
    this.#apps.set(to, this.#app(from));
    this.#apps.delete(from);
    this.#newNames.set(from, to);
  }

  findUser({ key, user, certificate }: FindUserBody): object {
    if (user !== undefined && certificate !== undefined) return { user: this.#users.has(user) ? user : null };
    const holder = this.#keys.get(key.blob);
    return holder ?? { user: null };
  }

  listApps(user: string): object {
    const apps = [...this.#apps].flatMap(([app, facts]) => {
      const access = accessTo(facts, user);
      return access === undefined ? [] : [{ app, access }];
    });
    return { apps };
  }

  authorize(question: AuthorizeBody): object {
    const { user, key, certificate, service } = question;
    const isTheirs = certificate === undefined ? this.#keys.get(key.blob)?.user === user : this.#users.has(user);
    if (!isTheirs) return { refusal: { reason: 'key-removed' } };
    if (this.maintenance !== undefined) return { refusal: { reason: 'maintenance', text: this.maintenance } };
    const name = this.#newNames.get(question.app) ?? question.app;
    const app = this.#apps.get(name);
    if (app === undefined) return this.#unknown(question);
    const access = accessTo(app, user);
    if (access === undefined) return { refusal: { reason: 'no-access' } };
    if (service === 'git-upload-archive' && !app.hasArchive) return { refusal: { reason: 'archive-off' } };
    if (service === 'git-receive-pack' && app.isReadOnly)
      return { refusal: { reason: 'read-only', text: `'${name}' is archived.` } };
    const { branch } = app;
    return {
      grant: {
        app: name,
        access,
        ...(branch === undefined ? {} : { branch }),
        ...(name === question.app ? {} : { notice: `'${question.app}' is called '${name}' now.` }),
        ...this.grantMore,
      },
    };
  }

  #unknown({ user, app, service }: AuthorizeBody): object {
    const { onPush, limit } = this.creation;
    if (!onPush || service !== 'git-receive-pack') return { refusal: { reason: 'no-access' } };
    if (!/^[a-z]/.test(app)) return { refusal: { reason: 'invalid-app-name' } };
    const owned = [...this.#apps.values()].filter(({ owner }) => owner === user).length;
    if (owned >= limit) return { refusal: { reason: 'too-many-apps', limit } };
    return { grant: { app, access: 'write', creates: true, ...this.grantMore } };
  }

  #app(name: string): App {
    const app = this.#apps.get(name);
    if (app === undefined) throw new Error(`there is no app ${name}`);
    return app;
  }
}

/** What does not hang together in a key that was sent. */
export function keyProblem({ blob, sha256, md5, algorithm }: KeyBody): string | undefined {
  const bytes = Buffer.from(blob, 'base64');
  const digest = (name: string, encoding: 'hex' | 'base64') => createHash(name).update(bytes).digest(encoding);
  if (sha256 !== `SHA256:${digest('sha256', 'base64').replace(/=+$/, '')}`)
    return 'the SHA-256 is not the key of that blob';
  if (md5 !== digest('md5', 'hex')) return 'the MD5 is not the key of that blob';
  const length = bytes.readUInt32BE(0);
  return bytes.toString('latin1', 4, 4 + length) === algorithm
    ? undefined
    : 'the algorithm is not the key of that blob';
}

function accessTo({ owner, shares }: App, user: string): 'read' | 'write' | undefined {
  return owner === user ? 'write' : shares.get(user);
}

function base64(blob: Uint8Array): string {
  return Buffer.from(blob).toString('base64');
}
