import { BlockList, isIP, isIPv6 } from 'node:net';

const USER = 'user:';

/** Whom an operator has taken out: addresses, networks (`192.0.2.0/24`, `2001:db8::/32`) and `user:NAME`. */
export class Exemptions {
  readonly #addresses = new BlockList();
  readonly #users = new Set<string>();

  /** @throws what node:net throws for one that `isExemption` says no to. */
  constructor(exempt: readonly string[]) {
    for (const text of exempt) {
      if (text.startsWith(USER)) this.#users.add(text.slice(USER.length));
      else this.#addAddresses(text);
    }
  }

  hasAddress(address: string): boolean {
    const plain = address.replace(/%.*$/s, '');
    return isIP(plain) !== 0 && this.#addresses.check(plain, familyOf(plain));
  }

  hasUser(name: string): boolean {
    return this.#users.has(name);
  }

  #addAddresses(text: string): void {
    const [address = '', bits] = text.split('/');
    if (bits === undefined) this.#addresses.addAddress(address, familyOf(address));
    else this.#addresses.addSubnet(address, Number(bits), familyOf(address));
  }
}

/** Whether this text exempts somebody. */
export function isExemption(text: string): boolean {
  if (text.startsWith(USER)) return text.length > USER.length;
  const [address = '', bits, ...more] = text.split('/');
  const longest = isIPv6(address) ? 128 : 32;
  const isNetwork = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= longest);
  return isIP(address) !== 0 && isNetwork && more.length === 0;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
