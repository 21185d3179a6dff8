/** What may name an app. The only place that knows. */

/** How a platform names its apps: by one word each, or also by two with a `/` between them (`owner/app`). */
export type AppNames = 'plain' | 'with-owner';

/** Letters, digits, `@`, `_` and `-`, beginning with a letter or digit; at most 63 characters. */
const APP_NAME = /^[A-Za-z0-9][A-Za-z0-9@_-]{0,62}$/;

export function isAppName(text: string, form: AppNames = 'plain'): boolean {
  if (form === 'plain' || !text.includes('/')) return APP_NAME.test(text);
  const [owner = '', name = '', ...more] = text.split('/');
  return more.length === 0 && APP_NAME.test(owner) && APP_NAME.test(name);
}

/**
 * The app that a repository path names, or undefined.
 *
 * Clients send `app.git`, `/app.git` (ssh:// URLs), `~/app.git` or `app`. Exactly one leading `/` or `~/` and one
 * trailing `.git` are dropped; everything else must be the name itself, so `..`, further folders and options never match.
 */
export function appNameOfPath(path: string, form: AppNames = 'plain'): string | undefined {
  const name = path.replace(/^(?:~?\/)/, '').replace(/\.git$/, '');
  return isAppName(name, form) ? name : undefined;
}
