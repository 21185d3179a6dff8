import { isWithin, parseNetwork, type Network } from '../domain/networks.js';

const USER = 'user:';

/** Whom an operator has taken out: addresses, networks (`192.0.2.0/24`, `2001:db8::/32`) and `user:NAME`. */
export class Exemptions {
  readonly #networks: readonly Network[];
  readonly #users: ReadonlySet<string>;

  /** Those that `isExemption` says no to exempt nobody. */
  constructor(exempt: readonly string[]) {
    const users = exempt.filter((text) => text.startsWith(USER));
    this.#users = new Set(users.map((text) => text.slice(USER.length)));
    this.#networks = exempt.flatMap((text) => parseNetwork(text) ?? []);
  }

  hasAddress(address: string): boolean {
    return isWithin(address, this.#networks);
  }

  hasUser(name: string): boolean {
    return this.#users.has(name);
  }
}

/** Whether this text exempts somebody. */
export function isExemption(text: string): boolean {
  return text.startsWith(USER) ? text.length > USER.length : parseNetwork(text) !== undefined;
}
