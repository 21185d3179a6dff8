import type { Command } from 'commander';
import { SystemClock } from '../../adapters/system/clock.js';
import { subjectOf, subjectText } from '../../domain/penalty-policy.js';
import { utc } from '../../domain/words/lines.js';
import type { Penalties } from '../../ports/penalties.js';
import { openState } from '../state/state.js';
import type { Configure } from './context.js';
import { json, table, terminal } from './output.js';

/** `penalty …`: what is held against whom. */
export function addPenaltyCommands(program: Command, configure: Configure): void {
  const penalty = program.command('penalty').description('Look at what is held against addresses, users and keys.');
  const withPenalties = async (action: (penalties: Penalties) => Promise<void>) => {
    const state = await openState(configure());
    try {
      await action(state.penalties(new SystemClock()));
    } finally {
      state.close();
    }
  };

  penalty
    .command('list')
    .description('List all penalties that have not run off, the longest first.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      await withPenalties(async (penalties) => {
        const list = await penalties.list();
        const shown = Array.from(list, ({ subject, until, isEnforced, offence }) => ({
          subject: subjectText(subject),
          until,
          isEnforced,
          offence,
        }));
        const rows = shown.map((one) => [
          one.subject,
          utc(one.until),
          one.isEnforced ? 'enforced' : 'not yet',
          one.offence,
        ]);
        const nothing = 'Nothing is held against anybody.';
        terminal.out(options.json ? json(shown) : table(['WHOSE', 'UNTIL', 'STATE', 'LAST FOR'], rows, nothing));
      });
    });
  penalty
    .command('clear [whose]')
    .description('Forget what is held against an address, user:NAME or a fingerprint.')
    .option('--all', 'against everybody')
    .action(async (whose: string | undefined, options: { all?: boolean }) => {
      if ((whose === undefined) === (options.all !== true)) {
        throw new Error('say whose: an address, user:NAME, SHA256:…, or --all');
      }
      await withPenalties(async (penalties) => {
        const cleared = await penalties.clear(whose === undefined ? 'all' : subjectOf(whose));
        if (whose === undefined) terminal.out(`Forgot the penalties of ${cleared}.`);
        else terminal.out(cleared > 0 ? `Forgot the penalty of ${whose}.` : `Nothing is held against ${whose}.`);
      });
    });
}
