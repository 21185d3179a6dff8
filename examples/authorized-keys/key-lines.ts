/** Lines of an authorized_keys file (sshd(8)): `[options] type base64 [comment]`. */
import { algorithmOfBlob, isKeyAlgorithm, isUserName } from 'gitmouth';

/** They only take away, or give back, what gitmouth never gives: there are no terminals, forwardings or shells. */
const HARMLESS = /^(restrict|(no-)?(pty|port-forwarding|agent-forwarding|x11-forwarding|user-rc))$/i;

/** Names the user in a way that sshd reads too, should it use the same file. */
const USER_OPTION = /^environment="GITMOUTH_USER=(.*)"$/i;

/** What is wrong with a file, in a sentence for each line. */
export class KeyFileProblem extends Error {}

/**
 * Users by their keys, each key as the base64 of its wire format.
 *
 * Nothing is passed over: a line that is not understood, or that says more than gitmouth can hold to, spoils the file.
 * @throws KeyFileProblem
 */
export function readKeyLines(text: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  const problems: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    try {
      const { key, user } = readLine(line.trim());
      const holder = users.get(key) ?? user;
      if (holder !== user) throw new KeyFileProblem(`the key is ${holder}'s already, and can't be ${user}'s as well`);
      users.set(key, user);
    } catch (error) {
      if (!(error instanceof KeyFileProblem)) throw error;
      problems.push(`line ${index + 1}: ${error.message}`);
    }
  }
  if (problems.length > 0) throw new KeyFileProblem(problems.join('; '));
  return users;
}

function readLine(line: string): { readonly key: string; readonly user: string } {
  const [first, rest] = cutField(line);
  const hasOptions = !isKeyType(first);
  const [type, afterType] = hasOptions ? cutField(rest) : [first, rest];
  if (!isKeyType(type)) throw new KeyFileProblem('this is no key: it must be [options] type base64 [comment]');
  const [base64, comment] = cutField(afterType);
  const named = hasOptions ? userOf(first) : undefined;
  return { key: readKey(type, base64), user: named ?? userOfComment(comment) };
}

/** The text up to the first blank that is not in quotes, and what comes after it. */
function cutField(text: string): readonly [string, string] {
  const [field = ''] = /^(?:"(?:\\"|[^"])*"|[^\s"])*/.exec(text) ?? [];
  return [field, text.slice(field.length).trim()];
}

function isKeyType(field: string): boolean {
  return /^(ssh|ecdsa|sk)-[\w.@-]+$/.test(field);
}

function readKey(type: string, base64: string): string {
  if (!isKeyAlgorithm(type)) {
    throw new KeyFileProblem(`keys of the type ${type} are not supported: use Ed25519, ECDSA or RSA`);
  }
  const blob = Buffer.from(base64, 'base64');
  const isWhole = blob.toString('base64') === base64;
  if (!isWhole || algorithmOfBlob(blob) !== type) throw new KeyFileProblem('the key is damaged');
  return base64;
}

/** The user that the options name, if they do. */
function userOf(options: string): string | undefined {
  let user: string | undefined;
  // Commas part options, but not within quotes.
  for (const option of options.match(/(?:"(?:\\"|[^"])*"|[^,"])+/g) ?? []) {
    const [, named] = USER_OPTION.exec(option) ?? [];
    if (named === undefined && !HARMLESS.test(option)) {
      const [name] = option.split('=');
      throw new KeyFileProblem(`gitmouth can't do what the option ${name} asks for: remove it, or the line`);
    }
    if (named !== undefined && !isUserName(named)) throw new KeyFileProblem(`'${named}' is no user name`);
    if (named !== undefined && user !== undefined) throw new KeyFileProblem('it names two users');
    user = named ?? user;
  }
  return user;
}

/** A comment says whatever somebody once typed: alice@laptop is the name of a machine's account, and nobody's here. */
function userOfComment(comment: string): string {
  if (isUserName(comment)) return comment;
  const found = comment === '' ? 'there is no comment' : `the comment '${comment}' is no user name`;
  throw new KeyFileProblem(`whose key is it? ${found}: begin the line with environment="GITMOUTH_USER=name"`);
}
