import { Command, CommanderError } from 'commander';
import { isFault } from '../../domain/fault.js';
import { ConfigError, readConfig } from '../config.js';
import { openPlatform } from '../platforms/embedded.js';
import { addAppCommands } from './apps.js';
import type { Configure, WithPlatform } from './context.js';
import type { Hangups } from './hangups.js';
import { printableLines, terminal } from './output.js';
import { addPenaltyCommands } from './penalties.js';
import {
  addDoctorCommand,
  addDynoKeyCommand,
  addHostKeyCommand,
  addLockCommands,
  addServeCommand,
  addSessionCommands,
} from './server-commands.js';
import { addUserCommands } from './users.js';
import { version } from '../version.js';

const EXIT_PROBLEM = 1;

/**
 * Runs the command line; resolves with the exit status. Problems are said in a sentence on standard error.
 * @param hangups what a server has heard of already.
 */
export async function run(argv: readonly string[], hangups?: Hangups): Promise<number> {
  let options: { readonly data?: string; readonly config?: string } = {};
  let status = 0;
  const configure: Configure = (listen) =>
    readConfig({
      ...(options.config === undefined ? {} : { GITMOUTH_CONFIG: options.config }),
      ...(options.data === undefined ? {} : { GITMOUTH_DATA: options.data }),
      ...(listen === undefined ? {} : { GITMOUTH_LISTEN: listen }),
    });
  const withPlatform: WithPlatform = (action) => {
    const { platform, db } = openPlatform(configure());
    try {
      action(platform, (work) => {
        db.transaction(work).immediate();
      });
    } finally {
      db.close();
    }
  };

  // Whoever reads us may be gone (`| head`, a supervisor that died): that must not end a server, nor make one spin.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

  const program = new Command('gitmouth')
    .description('An SSH front door for git push.')
    .version(version())
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(printableLines(text)) })
    .configureHelp({ showGlobalOptions: true })
    .hook('preAction', (_program, command) => {
      // A command with subcommands takes what they were given for its own.
      options = command.optsWithGlobals<typeof options>();
    });
  addServeCommand(program, configure, hangups);
  addUserCommands(program, withPlatform);
  addAppCommands(program, configure, withPlatform);
  addPenaltyCommands(program, configure);
  addLockCommands(program, configure);
  addHostKeyCommand(program, configure);
  addDynoKeyCommand(program, configure);
  addSessionCommands(program, configure);
  addDoctorCommand(program, configure, (problems) => {
    status = problems === 0 ? 0 : EXIT_PROBLEM;
  });
  for (const command of actions(program)) {
    command
      .option('--data <folder>', 'data folder (or GITMOUTH_DATA; ./data by default)')
      .option('--config <file>', 'file of settings in the form of .env.example (or GITMOUTH_CONFIG)')
      .exitOverride();
  }

  try {
    await program.parseAsync([...argv]);
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    terminal.err(printableLines(`gitmouth: ${explain(error)}`));
    return EXIT_PROBLEM;
  }
}

/** Those that do something: all without subcommands, and `sessions`, which lists by itself. */
function actions(command: Command): readonly Command[] {
  const below = command.commands.flatMap(actions);
  return below.length === 0 || command.name() === 'sessions' ? [command, ...below] : below;
}

/** A sentence for people; a stack only for what nobody expected. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isFault(error)) {
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    return `${error.message}${cause}`;
  }
  const isUnexpected = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return isUnexpected && !(error instanceof ConfigError) ? (error.stack ?? error.message) : error.message;
}
