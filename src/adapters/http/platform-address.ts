const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** Where a platform's API is, taken from its URL. */
export class PlatformAddress {
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** What comes before the paths of the API; empty or beginning with `/`. */
  readonly prefix: string;

  /** @throws Error in words for who configured it; quotes nothing of it, as a password may be in it. */
  constructor(given: URL | string) {
    const url = typeof given === 'string' ? parsed(given) : given;
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw wrong('begin with https:// (or http://)');
    if (url.username !== '' || url.password !== '') throw wrong('hold no user and no password');
    if (url.search !== '' || url.hash !== '') throw wrong('have neither ? nor #');
    this.protocol = url.protocol === 'http:' ? 'http' : 'https';
    this.host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    this.port = url.port === '' ? DEFAULT_PORTS[this.protocol] : Number(url.port);
    this.prefix = url.pathname.replace(/\/+$/, '');
  }
}

function parsed(text: string): URL {
  if (!URL.canParse(text)) throw wrong('be a URL such as https://platform.example');
  return new URL(text);
}

function wrong(rule: string): Error {
  return new Error(`the address of the platform's API is to ${rule}`);
}
