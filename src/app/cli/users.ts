import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { readKeyLine } from '../../adapters/ssh2/public-keys.js';
import type { PublicKey } from '../../domain/public-key.js';
import { printable } from '../../domain/words/printable.js';
import type { WithPlatform } from './context.js';
import { day, json, table, terminal } from './output.js';

interface ReadKey {
  readonly key: PublicKey;
  readonly comment: string;
}

const ADDED = { added: 'Added', 'already-there': 'Already there:', tightened: 'Must verify its user from now on:' };

/** `user …` and `key …`: who may knock, and by which keys. */
export function addUserCommands(program: Command, withPlatform: WithPlatform): void {
  const user = program.command('user').description('Manage users.');
  user
    .command('add <name>')
    .description('Add a user, with keys if given.')
    .option(
      '--key <file>',
      'public key file (may be given again)',
      (file: string, files: string[]) => [...files, file],
      [],
    )
    .action((name: string, options: { key: string[] }) => {
      const keys = options.key.flatMap(readKeyFile);
      withPlatform(({ users, keys: registered }, transaction) => {
        transaction(() => {
          users.add(name);
          for (const { key, comment } of keys) registered.add(name, key, comment);
        });
        terminal.out(`Added the user ${name}.`);
        for (const { key } of keys) terminal.out(`  ${key.algorithm} ${key.sha256}`);
        if (keys.length === 0) terminal.out(`They can't log in yet. Give them a key: gitmouth key add ${name} FILE`);
      });
    });
  user
    .command('list')
    .description('List the users.')
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) => {
      withPlatform(({ users }) => {
        const list = users.list();
        const rows = list.map((one) => [one.name, String(one.keys), String(one.apps), day(one.createdAt)]);
        const nothing = 'No users yet. Add one: gitmouth user add NAME --key FILE';
        terminal.out(options.json ? json(list) : table(['USER', 'KEYS', 'APPS', 'SINCE'], rows, nothing));
      });
    });
  user
    .command('remove <name>')
    .description('Remove a user with their keys; their live connections end.')
    .action((name: string) => {
      withPlatform(({ users }) => {
        users.remove(name);
        terminal.out(`Removed the user ${name}.`);
      });
    });

  const key = program.command('key').description("Manage users' public keys.");
  key
    .command('add <user> <file>')
    .description('Add the public keys in a file (- for standard input).')
    .option('--verify-required', 'let the keys log in only if they have asked for a PIN or a fingerprint')
    .action((user: string, file: string, options: { verifyRequired?: boolean }) => {
      const keys = readKeyFile(file);
      const isVerifyRequired = options.verifyRequired === true;
      withPlatform(({ keys: registered }, transaction) => {
        transaction(() => {
          for (const { key, comment } of keys) {
            const done = ADDED[registered.add(user, key, comment, { isVerifyRequired })];
            terminal.out(`${done} ${key.algorithm} ${key.sha256}`);
          }
        });
      });
    });
  key
    .command('list <user>')
    .description("List a user's keys.")
    .option('--json', 'as JSON')
    .action((user: string, options: { json?: boolean }) => {
      withPlatform(({ keys }) => {
        const list = keys.list(user);
        const rows = list.map((one) => {
          const verifies = one.isVerifyRequired ? 'required' : '';
          return [one.sha256, one.algorithm, day(one.addedAt), verifies, one.comment];
        });
        const nothing = `${user} has no keys. Add one: gitmouth key add ${user} FILE`;
        const columns = ['FINGERPRINT', 'TYPE', 'SINCE', 'VERIFY', 'COMMENT'];
        terminal.out(options.json ? json(list) : table(columns, rows, nothing));
      });
    });
  key
    .command('remove <user> <fingerprint>')
    .description('Remove a key; live connections that proved it end.')
    .action((user: string, fingerprint: string) => {
      withPlatform(({ keys }) => {
        keys.remove(user, fingerprint);
        terminal.out(`Removed the key ${printable(fingerprint)} of ${user}.`);
      });
    });
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new Error(`${file} can't be read (${why}): give the file of a public key, such as ~/.ssh/id_ed25519.pub`, {
      cause,
    });
  }
}

/** Every key of a `.pub` file; empty lines and comments are passed over, anything else must be a key. */
function readKeyFile(file: string): readonly ReadKey[] {
  const text = readText(file);
  if (text.includes('PRIVATE KEY')) throw new Error(`${file} holds a private key: give the file that ends in .pub`);
  const keys = text
    .split('\n')
    .map((line, index) => ({ line: line.trim(), where: `${file}, line ${index + 1}` }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'))
    .map(({ line, where }) => {
      const reading = readKeyLine(line);
      if ('problem' in reading) throw new Error(`${where}: ${reading.problem}`);
      return { key: reading.key, comment: reading.comment ?? '' };
    });
  if (keys.length === 0) throw new Error(`${file} holds no public key`);
  return keys;
}
