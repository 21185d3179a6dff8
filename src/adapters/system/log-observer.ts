import pino, { type DestinationStream, type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { DomainEvent } from '../../domain/events.js';
import { printable } from '../../domain/words/printable.js';
import type { Observer } from '../../ports/observer.js';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** Longer than any name or address; stacks and causes are the only long texts of an event. */
const MAX_TEXT = 4_000;

export interface LogOptions {
  readonly format: 'json' | 'text';
  readonly level: Level;
  readonly colors?: boolean;
  /** Where lines go; standard output by default, written at once so that none is lost at an exit. */
  readonly destination?: DestinationStream;
}

/** Events as log lines: JSON for machines, text for a terminal. No text of a client goes out raw. */
export class LogObserver implements Observer {
  readonly #logger: Logger;

  constructor(options: LogOptions) {
    const target = options.destination ?? pino.destination({ dest: 1, sync: true });
    const stream =
      options.format === 'json'
        ? target
        : pretty({
            destination: target,
            sync: true,
            colorize: options.colors === true,
            translateTime: 'SYS:yyyy-mm-dd HH:MM:ss',
            ignore: 'pid,hostname,type',
            singleLine: true,
          });
    this.#logger = pino({ level: options.level, timestamp: pino.stdTimeFunctions.isoTime, base: null }, stream);
  }

  record(event: DomainEvent): void {
    this.#logger[levelOf(event)](escaped(event), sentence(event));
  }
}

function levelOf(event: DomainEvent): Level {
  switch (event.type) {
    case 'connection-opened':
      return 'debug';
    case 'connection-closed':
      return event.user === undefined ? 'debug' : 'info';
    case 'login-failed':
      return 'warn';
    case 'session-ended':
      return event.fault === undefined ? 'info' : 'error';
    case 'fault':
    case 'problem':
      return 'error';
    default:
      return 'info';
  }
}

function sentence(event: DomainEvent): string {
  switch (event.type) {
    case 'session-ended':
      return `${event.user} ${event.service ?? 'greeting'} ${event.app ?? ''}: ${event.verdict}`.replace(' :', ':');
    case 'problem':
      return printable(event.message);
    default:
      return event.type.replace('-', ' ');
  }
}

/** The event with every text made printable, at any depth, and errors as text. */
function escaped(value: object): object {
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, escapedValue(inner)]));
}

function escapedValue(value: unknown): unknown {
  if (typeof value === 'string') return printable(value, MAX_TEXT);
  if (value instanceof Error) return printable(value.stack ?? value.message, MAX_TEXT);
  if (Array.isArray(value)) return value.map(escapedValue);
  if (value === null || typeof value !== 'object') return value;
  return escaped(value);
}
