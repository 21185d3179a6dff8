/**
 * The commands of the server itself. What each stands on is loaded with it and not before: a command that adds a user
 * has no need of a server, and is there at once.
 */
import { Option, type Command } from 'commander';
import type { Configure } from './context.js';
import type { Hangups } from './hangups.js';
import { utc } from '../../domain/words/lines.js';
import { json, printableLines, table, terminal } from './output.js';

const MARK = { ok: 'ok     ', warning: 'warning', problem: 'PROBLEM' } as const;

/** `serve`: the server itself. */
export function addServeCommand(program: Command, configure: Configure, hangups?: Hangups): void {
  program
    .command('serve')
    .description('Serve git over SSH until SIGTERM or SIGINT; SIGHUP reads the settings of --config again.')
    .option(
      '--listen <host:port,…>',
      'address to listen on, or several with commas between (or GITMOUTH_LISTEN; 127.0.0.1:2222 by default)',
    )
    .action(async (options: { listen?: string }) => {
      // Said before anything is loaded, as a mistake in a setting is the likeliest.
      configure(options.listen);
      const { serve } = await import('./serve.js');
      await serve(() => configure(options.listen), hangups);
    });
}

/** `lock …`: which pushes keep others waiting. For every platform and every state. */
export function addLockCommands(program: Command, configure: Configure): void {
  const lock = program.command('lock').description('See and release the locks that pushes hold on apps.');
  lock
    .command('list')
    .description('List the locks that are held now, by any gitmouth that shares the state.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const { heldLocks } = await import('./locks.js');
      const locks = (await heldLocks(configure())).map(({ holder, ...rest }) => ({ ...rest, ...holder }));
      const rows = locks.map((one) => [one.app, one.user, one.session, utc(one.since), utc(one.expiresAt)]);
      const headings = ['APP', 'USER', 'SESSION', 'SINCE', 'FREE BY ITSELF AT'];
      terminal.out(options.json ? json(locks) : table(headings, rows, 'No lock is held.'));
    });
  lock
    .command('release <app>')
    .description('End the push that holds the lock of an app, and wait until it is free. Exit status 1 when it is not.')
    .action(async (app: string) => {
      const { releaseLock } = await import('./locks.js');
      const { holder } = await releaseLock(configure(), app, ({ holder: { user, session } }) => {
        terminal.err(printableLines(`Asked the push of ${user} (session ${session}) to end; waiting until it has.`));
      });
      terminal.out(
        printableLines(`Released the lock of ${app}, which ${holder.user} held since ${utc(holder.since)}.`),
      );
    });
}

/** `doctor`: everything a start needs, looked at without starting. */
export function addDoctorCommand(program: Command, configure: Configure, concluded: (problems: number) => void): void {
  program
    .command('doctor')
    .description('Check everything a start needs, and say what to do. Exit status 1 when something is wrong.')
    .option('--listen <host:port,…>', 'address that the server is to listen on, or several with commas between')
    .option('--json', 'as JSON')
    .action(async (options: { listen?: string; json?: boolean }) => {
      const config = configure(options.listen);
      const { examine } = await import('./doctor.js');
      const findings = await examine(config);
      if (options.json) terminal.out(json(findings));
      else for (const { check, state, says } of findings) terminal.out(`${MARK[state]} ${check}: ${says}`);
      concluded(findings.filter(({ state }) => state === 'problem').length);
    });
}

/** `hostkey …`: what clients check the server by. */
export function addHostKeyCommand(program: Command, configure: Configure): void {
  const hostKey = program.command('hostkey').description("The server's own keys: see them, and change them in time.");
  hostKey
    .command('show')
    .description('Show the public halves and fingerprints, for known_hosts.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const config = configure();
      const { shownHostKeys } = await import('./host-keys.js');
      const shown = await shownHostKeys(config);
      if (options.json) terminal.out(json(shown));
      else for (const key of shown) terminal.out(`${key.fingerprint}\n  ${key.publicKey}`);
    });
  hostKey
    .command('list')
    .description('List the current keys, and the next ones that clients are told of.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const config = configure();
      const { shownHostKeys } = await import('./host-keys.js');
      const shown = await shownHostKeys(config);
      const rows = shown.map(({ state, algorithm, fingerprint }) => [state, algorithm, fingerprint]);
      terminal.out(options.json ? json(shown) : table(['STATE', 'TYPE', 'FINGERPRINT'], rows, ''));
    });
  hostKey
    .command('add [file]')
    .description('Add a next key, a copy of the private key in a file or a new one; clients learn it after a SIGHUP.')
    .addOption(new Option('--type <type>', 'of a new one (ed25519 by default)').choices(['ed25519', 'rsa', 'ecdsa']))
    .action(async (file: string | undefined, { type }: { type?: 'ed25519' | 'rsa' | 'ecdsa' }) => {
      const config = configure();
      const { addedHostKey } = await import('./host-keys.js');
      for (const line of addedHostKey(config, file, type)) terminal.out(printableLines(line));
    });
  hostKey
    .command('retire <fingerprint>')
    .description('Take a key out after a SIGHUP; for a current one the next of its type takes its place.')
    .action(async (fingerprint: string) => {
      const config = configure();
      const { retiredHostKey } = await import('./host-keys.js');
      for (const line of retiredHostKey(config, fingerprint)) terminal.out(printableLines(line));
    });
}

/** `dynokey …`: what dynos that are reached over SSH let gitmouth in by. */
export function addDynoKeyCommand(program: Command, configure: Configure): void {
  program
    .command('dynokey')
    .description('The key that dynos over SSH let gitmouth in by (GITMOUTH_PLATFORM=http).')
    .command('show')
    .description('Show its public half, for the authorized_keys of dynos; made when missing.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const config = configure();
      const { shownDynoKey } = await import('./dyno-key.js');
      const shown = shownDynoKey(config);
      terminal.out(options.json ? json(shown) : shown.publicKey);
    });
}

/** `sessions …`: who is doing what, over all gitmouths that share a state. */
export function addSessionCommands(program: Command, configure: Configure): void {
  const sessions = program
    .command('sessions')
    .description('List what is being served, by all gitmouths that share the state; or end a session.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const config = configure();
      const { listSessions } = await import('./sessions.js');
      await listSessions(config, options.json === true);
    });
  sessions
    .command('end <id>')
    .description('End a session, with a sentence to its client.')
    .action(async (id: string) => {
      const config = configure();
      const { endSession } = await import('./sessions.js');
      await endSession(config, id);
    });
}
