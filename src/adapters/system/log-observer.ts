import { types } from 'node:util';
import pino, { type DestinationStream, type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { DomainEvent } from '../../domain/events.js';
import { noCommonAlgorithmLine } from '../../domain/words/no-common-algorithm.js';
import { printable } from '../../domain/words/printable.js';
import type { Observer } from '../../ports/observer.js';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** Longer than any name or address; stacks and causes are the only long texts of an event. */
const MAX_TEXT = 4_000;

/** Bytes kept of lines that could not be written yet; what comes on top of them is lost. */
const MAX_UNWRITTEN = 1024 ** 2;

/** Deeper than any event. */
const MAX_DEPTH = 6;

export interface LogOptions {
  readonly format: 'json' | 'text';
  readonly level: Level;
  readonly colors?: boolean;
  /** Where lines go; standard output by default. */
  readonly destination?: DestinationStream;
}

/** Events as log lines: JSON for machines, text for a terminal. No text of a client goes out raw. */
export class LogObserver implements Observer {
  readonly #logger: Logger;

  constructor(options: LogOptions) {
    const target = options.destination ?? standardOutput();
    const stream = options.format === 'json' ? target : prettified(target, options.colors === true);
    this.#logger = pino({ level: options.level, timestamp: pino.stdTimeFunctions.isoTime, base: null }, stream);
  }

  /** From now on. */
  set level(level: Level) {
    this.#logger.level = level;
  }

  record(event: DomainEvent): void {
    this.#logger[levelOf(event)](escaped(event), sentence(event));
  }
}

/** Written at once, so that no line is lost at an exit. */
function standardOutput(): DestinationStream {
  const target = pino.destination({ dest: 1, sync: true, maxLength: MAX_UNWRITTEN });
  // A window that was closed (EIO), a full disk: what can't be logged must not end what is served.
  target.on('error', () => undefined);
  return target;
}

/** Line by line and at once: as a stream, pino-pretty would still hold lines when the program ends. */
function prettified(target: DestinationStream, colorize: boolean): DestinationStream {
  const prettify = pretty.prettyFactory({
    colorize,
    translateTime: 'SYS:yyyy-mm-dd HH:MM:ss',
    ignore: 'pid,hostname,type',
    singleLine: true,
    // By default what is called `error` gets lines of its own.
    errorLikeObjectKeys: [],
  });
  return {
    write(line) {
      target.write(prettify(line));
    },
  };
}

function levelOf(event: DomainEvent): Level {
  switch (event.type) {
    case 'connection-opened':
      return 'debug';
    case 'connection-closed':
      return event.user === undefined && event.reason === undefined ? 'debug' : 'info';
    case 'connections-refused':
    case 'login-failed':
    case 'penalty-began':
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
      return printable(`${[event.user, event.service, event.app].filter(Boolean).join(' ')}: ${event.verdict}`);
    case 'problem':
      return printable(event.message);
    case 'no-common-algorithm':
      return noCommonAlgorithmLine(printable(event.lacking), event.algorithms);
    default:
      return event.type.replaceAll('-', ' ');
  }
}

/** The event with every text made printable, at any depth, and errors as text. */
function escaped(event: DomainEvent): object {
  return Object.fromEntries(escapedEntries(event, 0));
}

function escapedEntries(value: object, depth: number): [string, unknown][] {
  return Object.entries(value).map(([key, inner]) => [printable(key), escapedValue(inner, depth + 1)]);
}

function escapedValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return printable(value, MAX_TEXT);
  if (types.isNativeError(value)) return printable(value.stack ?? value.message, MAX_TEXT);
  if (value === null || typeof value !== 'object') return value;
  // What was thrown can be anything, itself within itself included.
  if (depth > MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.map((inner) => escapedValue(inner, depth + 1));
  return Object.fromEntries(escapedEntries(value, depth));
}
