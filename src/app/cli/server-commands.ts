/**
 * The commands of the server itself. What each stands on is loaded with it and not before: a command that adds a user
 * has no need of a server, and is there at once.
 */
import type { Command } from 'commander';
import type { Configure } from './context.js';
import { json, terminal } from './output.js';

const MARK = { ok: 'ok     ', warning: 'warning', problem: 'PROBLEM' } as const;

/** `serve`: the server itself. */
export function addServeCommand(program: Command, configure: Configure): void {
  program
    .command('serve')
    .description('Serve git over SSH until SIGTERM or SIGINT.')
    .option('--listen <host:port>', 'address to listen on (or GITMOUTH_LISTEN; 127.0.0.1:2222 by default)')
    .action(async (options: { listen?: string }) => {
      const config = configure(options.listen);
      const { serve } = await import('./serve.js');
      await serve(config);
    });
}

/** `doctor`: everything a start needs, looked at without starting. */
export function addDoctorCommand(program: Command, configure: Configure, concluded: (problems: number) => void): void {
  program
    .command('doctor')
    .description('Check everything a start needs, and say what to do. Exit status 1 when something is wrong.')
    .option('--listen <host:port>', 'address that the server is to listen on')
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
  program
    .command('hostkey')
    .description("The server's own keys.")
    .command('show')
    .description('Show the public halves and fingerprints, for known_hosts.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const config = configure();
      const { shownHostKeys } = await import('./host-keys.js');
      const shown = shownHostKeys(config);
      if (options.json) terminal.out(json(shown));
      else for (const key of shown) terminal.out(`${key.fingerprint}\n  ${key.publicKey}`);
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
