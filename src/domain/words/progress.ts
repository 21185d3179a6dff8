import type { DynosFull } from '../dyno-queue.js';
import type { LockHolder, LockMode } from '../lock-policy.js';
import { runningClause } from './dynos.js';
import { duration, marked, utc } from './lines.js';

/** How often one who waits is told so, in milliseconds. */
export const WAITING_NOTICE_EVERY_MS = 10_000;

/** Told at once and then every ten seconds while another push holds the app. */
export function waitingWords(app: string, holder: LockHolder, mode: LockMode, waitedMs: number): string {
  const doing = mode === 'supersede' ? 'Ending' : 'Waiting for';
  return marked(`${doing} another push to '${app}' (by ${holder.user} since ${utc(holder.since)})${waited(waitedMs)}…`);
}

/** Told at once and then every ten seconds while there is no dyno free. */
export function dynoWaitingWords(full: DynosFull, waitedMs: number): string {
  return marked(`Waiting for your turn (${runningClause(full)})${waited(waitedMs)}…`);
}

/** A dyno that is there sooner is worth no word. In milliseconds. */
export const FIRST_START_NOTICE_MS = 2_000;

export const START_NOTICE_EVERY_MS = 4_000;

/** Told while a dyno is being made or reached. */
export function startingWords(waitedMs: number): string {
  return marked(`Preparing the place where git runs${waited(waitedMs)}…`);
}

/** Told to one whose command goes on without a byte from either side, again after each such time. */
export function silentWords(silentMs: number): string {
  return marked(`Still running: nothing came from git or its hooks for ${duration(silentMs)}…`);
}

function waited(waitedMs: number): string {
  return waitedMs < 1000 ? '' : `, waited ${duration(waitedMs)}`;
}

/** Told to running sessions when the server is told to stop. */
export function drainNotice(remainingMs: number): string {
  return marked(`This server is about to restart. Your command has ${duration(remainingMs)} to finish.`);
}

/** Told when a push created its app. */
export function createdWords(app: string): string {
  return marked(`The app '${app}' did not exist; this push creates it, and you own it.`);
}
