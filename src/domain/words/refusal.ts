import type { DynosFull } from '../dyno-queue.js';
import type { GitService } from '../git-request.js';
import type { Refusal } from '../refusal.js';
import type { Caller } from '../session.js';
import { certificateLines, proofClause } from './certificate.js';
import { runningClause } from './dynos.js';
import { duration, platformLines, tryAgainIn, utc } from './lines.js';
import { tooOften } from './penalties.js';
import { printable } from './printable.js';

/** What was asked, as a verb: "push to", "read", "archive". */
function asked(service: GitService): string {
  switch (service) {
    case 'git-receive-pack':
      return 'push to';
    case 'git-upload-pack':
      return 'fetch from';
    case 'git-upload-archive':
      return 'take an archive of';
  }
}

/** The sentences for a refusal, most important first: what was asked, why not, what to do. */
export function refusalLines(refusal: Refusal): readonly string[] {
  switch (refusal.kind) {
    case 'unknown-key':
    case 'key-removed':
      return [
        'This key is not (or no longer) registered here.',
        'Add it to your account, or use another key, and try again.',
      ];
    case 'key-revoked':
      return ['This key was revoked.', 'Ask an operator why; another key may still do.'];
    case 'certificate':
      return certificateLines(refusal.problem);
    case 'forced-command':
      return [
        `Your certificate is for one command alone: '${printable(refusal.forced, 80)}'.`,
        'Use a certificate without force-command, or a key, for anything else.',
      ];
    case 'wrong-login':
      return [`Log in as '${refusal.expected}': ssh://${refusal.expected}@…/<app>.git`];
    case 'invalid-command':
      return [
        `'${printable(refusal.command, 80)}' is not a command of this door.`,
        'It serves git alone: git clone, git fetch and git push over this address; whoami and doctor say what it knows of you.',
      ];
    case 'invalid-path':
      return [
        `'${printable(refusal.command, 80)}' does not name an app.`,
        "Syntax is: <this address>:<app>.git, where <app> is your app's name: letters, digits, '@', '_' and '-', at most 63.",
      ];
    case 'lfs':
      return [
        'Git LFS is not served over SSH here.',
        'Set lfs.url to a server of your own, or keep the files out of LFS.',
      ];
    case 'no-access':
      return [
        `You may not ${asked(refusal.service)} '${refusal.app}', or there is no such app.`,
        'Check the name; for access ask the owner of the app to share it with you.',
      ];
    case 'key-bound':
      return refusal.to === 'apps'
        ? [
            `This key is a deploy key, and not one of '${refusal.app}'.`,
            "Use that app's own deploy key, or your own key.",
          ]
        : [`This key is a deploy key that may only read '${refusal.app}'.`, 'Use one that may write, or your own key.'];
    case 'platform':
      return platformLines(refusal.text);
    case 'archive-off':
      return [`'${refusal.app}' does not give out archives.`, 'Clone it, or ask an operator to allow archives of it.'];
    case 'invalid-app-name':
      return [
        `'${refusal.app}' can not be the name of a new app.`,
        "Use lower-case letters, digits, '@', '_' and '-', beginning with a letter or digit, at most 63.",
      ];
    case 'too-many-apps':
      return [
        `You own ${refusal.limit} apps, which is all you may; '${refusal.app}' was not created.`,
        'Have one you no longer use destroyed, or ask an operator for more.',
      ];
    case 'busy':
      return [
        `Another push to '${refusal.app}' is running, by ${refusal.holder.user} since ${utc(refusal.holder.since)}.`,
        refusal.waitedMs > 0
          ? `You waited ${duration(refusal.waitedMs)}; nothing was changed. Try again when it has ended.`
          : 'Nothing was changed. Try again when it has ended.',
      ];
    case 'dynos-busy':
      return [
        `Too much at once: ${runningClause(refusal)}, which is the limit.`,
        `${nothingChanged(refusal.waitedMs)} ${whatToDo(refusal)}`,
      ];
    case 'penalised':
      return [
        `${refusal.whose === 'key' ? 'This key' : 'Your account'} has to pause: ${tooOften(refusal.offence)}.`,
        `Nothing was changed. ${tryAgainIn(refusal.waitMs)}`,
      ];
    case 'too-fast':
      return [
        `You began more than ${refusal.limit} commands on '${refusal.app}' within a minute, which is the limit.`,
        `Nothing was changed. ${tryAgainIn(refusal.waitMs)}`,
      ];
    case 'draining':
      return ['This server is about to restart and starts nothing new.', 'Try again in a moment.'];
  }
}

function nothingChanged(waitedMs: number): string {
  return waitedMs < 1000 ? 'Nothing was changed.' : `You waited ${duration(waitedMs)}; nothing was changed.`;
}

function whatToDo({ full }: DynosFull): string {
  switch (full) {
    case 'connection':
      return 'Try again when one has ended, or over another connection.';
    case 'user':
      return 'Try again when one has ended.';
    case 'server':
      return 'Try again in a moment.';
  }
}

/** Who was asked for, and by which key or certificate: under every refusal and fault. */
export function whoLine(caller: Caller, sessionId: string): string {
  return `You are ${caller.user.name}, by ${proofClause(caller)}. Session ${sessionId}.`;
}
