/** Why an address can't be listened on and what to do, in a sentence; undefined for what nobody has foreseen. */
export function listenProblem(error: unknown, host: string, port: number): string | undefined {
  switch (typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined) {
    case 'EADDRINUSE':
      return `${host}:${port} is in use: is gitmouth running? Else set GITMOUTH_LISTEN (or --listen) to another port`;
    case 'EACCES':
      return `this user may not listen on port ${port}: use one above 1023, or grant it`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is no address of this machine: set GITMOUTH_LISTEN (or --listen) to one that is`;
    default:
      return undefined;
  }
}
