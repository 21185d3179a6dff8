import type { Stage } from '../fault.js';

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
    case 'run':
      return 'The place where git runs was lost before git ended. The command may or may not have been carried out.';
    case 'release':
      return 'The command ended, but could not be concluded here.';
  }
}

/** The sentences for a fault: an outage of ours, never a denial. */
export function faultLines(stage: Stage): readonly string[] {
  return [failed(stage), 'This is a fault on our side and not a refusal: try again in a moment.'];
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
  return `${faultLines('identify').join('\n')}\nConnection ${connectionId}.\n`;
}
