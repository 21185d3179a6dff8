/** What may name an app. The only place that knows. */

/** Letters, digits, `@`, `_` and `-`, beginning with a letter or digit; at most 63 characters. */
const APP_NAME = /^[A-Za-z0-9][A-Za-z0-9@_-]{0,62}$/;

export function isAppName(text: string): boolean {
  return APP_NAME.test(text);
}

/**
 * The app that a repository path names, or undefined.
 *
 * Clients send `app.git`, `/app.git` (ssh:// URLs), `~/app.git` or `app`. Exactly one leading `/` or `~/` and one
 * trailing `.git` are dropped; everything else must be the name itself, so `..`, sub-folders and options never match.
 */
export function appNameOfPath(path: string): string | undefined {
  const name = path.replace(/^(?:~?\/)/, '').replace(/\.git$/, '');
  return isAppName(name) ? name : undefined;
}
