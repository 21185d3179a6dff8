import { isIP } from 'node:net';
import type { Command } from 'commander';
import { subjectOf, subjectText, type PenaltySubject } from '../../domain/penalty-policy.js';
import { isUserName } from '../../domain/user.js';
import { utc } from '../../domain/words/lines.js';
import { printable } from '../../domain/words/printable.js';
import type { Penalties } from '../../ports/penalties.js';
import type { Configure } from './context.js';
import { json, table, terminal } from './output.js';
import { withState } from './with-state.js';

/** `penalty …`: what is held against whom. */
export function addPenaltyCommands(program: Command, configure: Configure): void {
  const penalty = program.command('penalty').description('Look at what is held against addresses, users and keys.');
  const withPenalties = (action: (penalties: Penalties) => Promise<void>) =>
    withState(configure(), (state, clock) => action(state.penalties(clock)));

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
      const subject = whose === undefined ? 'all' : namedSubject(whose);
      await withPenalties(async (penalties) => {
        const cleared = await penalties.clear(subject);
        if (whose === undefined) terminal.out(`Forgot the penalties of ${cleared}.`);
        else terminal.out(cleared > 0 ? `Forgot the penalty of ${whose}.` : `Nothing is held against ${whose}.`);
      });
    });
}

/** @throws Error where no penalty is ever kept under such a name. */
function namedSubject(whose: string): PenaltySubject {
  const subject = subjectOf(whose);
  const isOne =
    subject.kind === 'address'
      ? isIP(subject.source.replace(/\/64$/, '')) !== 0
      : subject.kind === 'key' || isUserName(subject.name);
  if (isOne) return subject;
  throw new Error(
    `'${printable(whose, 80)}' is no address, user:NAME or SHA256:…, as gitmouth penalty list shows them`,
  );
}
