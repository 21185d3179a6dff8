import type { Fault, Stage } from '../fault.js';
import { duration } from './lines.js';

/** What could not be done, by the stage it failed in. No cause and no host name: those are for the log. */
function failed(stage: Stage): string {
  switch (stage) {
    case 'identify':
      return 'Your key could not be checked just now.';
    case 'authorize':
      return 'Your access could not be checked just now.';
    case 'lock':
      return 'The lock of this app could not be taken or kept.';
    case 'provision':
    case 'connect':
      return 'The place where git runs could not be started.';
    case 'start':
      return 'The place where git runs was ready, but git said nothing.';
    case 'run':
      return 'The place where git runs was lost before git ended. The command may or may not have been carried out.';
    case 'release':
      return 'The command ended, but could not be concluded here.';
  }
}

/** The same for a phase whose time was over. Undefined for those that have no limit of their own. */
function late(stage: Stage, limitMs: number): string | undefined {
  const time = duration(limitMs);
  switch (stage) {
    case 'authorize':
      return `Your access could not be checked within ${time}.`;
    case 'provision':
      return `The place where git runs could not be made within ${time}.`;
    case 'connect':
      return `The place where git runs could not be reached within ${time}.`;
    case 'start':
      return `The place where git runs was ready, but git said nothing within ${time}.`;
    default:
      return undefined;
  }
}

/** The sentences for a fault: an outage of ours, never a denial. */
export function faultLines({ stage, limitMs }: Pick<Fault, 'stage' | 'limitMs'>): readonly string[] {
  const what = (limitMs === undefined ? undefined : late(stage, limitMs)) ?? failed(stage);
  return [what, 'This is a fault on our side and not a refusal: try again in a moment.'];
}

/** The sentences for a bug. */
export function bugLines(): readonly string[] {
  return [
    'Internal error: something went wrong on our side.',
    'Try again; if it stays, tell the operator the session below.',
  ];
}

/** Sent before the disconnect when a key could not be looked up. */
export function identifyFaultBanner(connectionId: string): string {
  return `${faultLines({ stage: 'identify' }).join('\n')}\nConnection ${connectionId}.\n`;
}
