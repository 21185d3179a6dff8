import { adviceFor, type Advice } from '../client-advice.js';
import type { AppAccess } from '../grant.js';
import type { KeyBinding } from '../key-binding.js';
import { isPostQuantum, type Negotiated } from '../negotiated.js';
import type { SelfReport, ShownLock } from '../question.js';
import type { Caller } from '../session.js';
import { certificateFacts } from './certificate.js';
import { marked, utc } from './lines.js';
import { printable } from './printable.js';
import { refusalLines } from './refusal.js';

/** Of apps and of locks, so many are shown. */
const MOST_SHOWN = 200;

/** A fact and its value, for people and for `awk`: one line, the name first. */
type Row = readonly [name: string, value: string];

/** What `whoami` and `doctor` answer: a table of facts; from the doctor also what is wrong and what to do about it. */
export function reportWords(report: SelfReport): string {
  const { question, caller, server } = report;
  const isDoctor = question === 'doctor';
  const rows = [
    ...whoRows(caller),
    ...(isDoctor ? connectionRows(caller, server) : []),
    ...appRows(report.apps),
    ...lockRows(report.locks),
  ];
  return `${rows.map(lineOf).join('')}${isDoctor ? `\n${findings(report)}` : ''}`;
}

function lineOf([name, value]: Row): string {
  return `${name.padEnd(13)} ${printable(value, 500)}\n`;
}

function whoRows({ user, key, certificate, connection }: Caller): readonly Row[] {
  return [
    ['user', user.name],
    ['key', `${key.sha256} ${key.algorithm}`],
    ...(certificate === undefined ? [] : [['certificate', certificateFacts(certificate)] as const]),
    ...bindingRows(user.binding),
    ['address', connection.address],
  ];
}

function bindingRows(binding: KeyBinding | undefined): readonly Row[] {
  if (binding === undefined) return [];
  const apps = binding.apps === undefined ? 'every app of the user' : binding.apps.join(', ');
  return [['deploy key', `of ${apps}${binding.access === 'read' ? ', to read' : ''}`]];
}

function connectionRows({ connection }: Caller, server: string): readonly Row[] {
  const { id, login, software, negotiated } = connection;
  return [
    ['login name', login],
    ['connection', id],
    ['client', software],
    ['server', server],
    ...(negotiated === undefined ? [] : negotiatedRows(negotiated)),
  ];
}

function negotiatedRows({ keyExchange, hostKey, cipherIn, cipherOut, isStrict }: Negotiated): readonly Row[] {
  const kinds = `${isPostQuantum(keyExchange) ? '' : 'not '}post-quantum, ${isStrict ? '' : 'not '}strict`;
  return [
    ['key exchange', `${keyExchange} (${kinds})`],
    ['host key', hostKey],
    ['cipher', cipherIn === cipherOut ? cipherIn : `${cipherIn} in, ${cipherOut} out`],
  ];
}

function appRows(apps: SelfReport['apps']): readonly Row[] {
  if (apps === undefined) return [];
  if (apps === 'unknown') return [['app', 'your apps can not be listed now']];
  if (apps.length === 0) return [['app', 'none of yours yet']];
  return cut('app', apps, ({ app, access }: AppAccess) => `${app} ${access}`);
}

function lockRows(locks: SelfReport['locks']): readonly Row[] {
  if (locks === 'unknown') return [['lock', 'whether your apps are locked can not be told now']];
  const value = ({ app, holder }: ShownLock) =>
    `${app} held by a push of ${holder.user} since ${utc(holder.since)}, session ${holder.session}`;
  return cut('lock', locks, value);
}

function cut<T>(name: string, all: readonly T[], value: (one: T) => string): readonly Row[] {
  const rows = all.slice(0, MOST_SHOWN).map((one): Row => [name, value(one)]);
  const more = all.length - rows.length;
  return more > 0 ? [...rows, [name, `and ${more} more`]] : rows;
}

function findings(report: SelfReport): string {
  const { refusal, caller } = report;
  const lines = [
    ...(refusal === undefined ? [] : refusalLines(refusal)),
    ...(report.apps === 'unknown' || report.locks === 'unknown'
      ? ['Something here is out of order, and not by your doing. Try again in a moment.']
      : []),
    ...adviceFor(caller).flatMap(adviceLines),
  ];
  return lines.length === 0 ? 'Nothing stands in your way.\n' : marked(...lines);
}

function adviceLines(advice: Advice): readonly string[] {
  switch (advice.kind) {
    case 'no-post-quantum':
      return [
        `Whoever records your traffic today may read it one day: ${advice.keyExchange} is no post-quantum key exchange.`,
        'OpenSSH from 9.9 on and PuTTY from 0.83 on have mlkem768x25519-sha256: update your client.',
      ];
    case 'post-quantum-off':
      return [
        `Whoever records your traffic today may read it one day: ${advice.keyExchange} is no post-quantum key exchange.`,
        'Your client has mlkem768x25519-sha256: do not leave it out of KexAlgorithms in your ssh_config.',
      ];
    case 'not-strict':
      return [
        `Your client does not know strict key exchange, without which ${advice.cipher} lets messages be cut out unseen (CVE-2023-48795).`,
        'Update it: OpenSSH from 9.6 on, PuTTY from 0.80 on.',
      ];
    case 'short-rsa':
      return [`Your RSA key has ${advice.bits} bits.`, 'Make one with `ssh-keygen -t ed25519`, and add that.'];
    case 'abandoned-client':
      return ['Your client is of a kind that is no longer maintained: update it.'];
  }
}
