import { addressText, type ListenAddress } from './listen-addresses.js';

/**
 * Why an address can't be listened on and what to do, in a sentence; undefined for what nobody has foreseen.
 * @param setting where the address is written.
 */
export function listenProblem(
  error: unknown,
  address: ListenAddress,
  setting = 'GITMOUTH_LISTEN (or --listen)',
): string | undefined {
  const { host, port } = address;
  switch (typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined) {
    case 'EADDRINUSE':
      return `${addressText(address)} is in use: is gitmouth running? Else set ${setting} to another port`;
    case 'EACCES':
      return `this user may not listen on port ${port}: use one above 1023, or grant it`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is no address of this machine: set ${setting} to one that is`;
    default:
      return undefined;
  }
}
