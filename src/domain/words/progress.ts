import type { LockHolder } from '../lock-policy.js';
import { duration, marked, utc } from './lines.js';

/** Told at once and then every ten seconds while another push holds the app. */
export function waitingWords(app: string, holder: LockHolder, waitedMs: number): string {
  const since = waitedMs < 1000 ? '' : `, waited ${duration(waitedMs)}`;
  return marked(`Waiting for another push to '${app}' (by ${holder.user} since ${utc(holder.since)})${since}…`);
}

/** Told to running sessions when the server is told to stop. */
export function drainNotice(remainingMs: number): string {
  return marked(`This server is about to restart. Your command has ${duration(remainingMs)} to finish.`);
}

/** Told when a push created its app. */
export function createdWords(app: string): string {
  return marked(`The app '${app}' did not exist; this push creates it, and you own it.`);
}
