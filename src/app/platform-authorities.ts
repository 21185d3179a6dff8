import type { PublicKey } from '../domain/public-key.js';
import type { Clock } from '../ports/clock.js';
import type { Observer } from '../ports/observer.js';
import { readAuthorities, type ReadKeyLine } from './certificate-files.js';
import type { Lifecycle } from './tokens.js';

/** How long an authority that the platform trusts no more may count still. */
const ASK_EVERY_MS = 60_000;

export interface PlatformAuthoritiesParts {
  /** Lines of public keys. Rejects when it can't be known. */
  readonly ask: (signal: AbortSignal) => Promise<readonly string[]>;
  readonly readKeyLine: ReadKeyLine;
  /** Whether the platform is the one to say, as it is set now. */
  readonly isWanted: () => boolean;
  /** What it says is other than before. Never throws. */
  readonly onChange: () => void;
  readonly observer: Observer;
  readonly clock: Clock;
}

/** The authorities that the platform trusts, asked for again and again: what it said last holds while it says nothing. */
export class PlatformAuthorities implements Lifecycle {
  readonly #parts: PlatformAuthoritiesParts;
  readonly #closed = new AbortController();
  #known: readonly PublicKey[] | undefined;
  #isTroubled = false;
  /** Of questions, by their number: the latest that was asked, and the latest that was answered. */
  #asked = 0;
  #answered = 0;

  constructor(parts: PlatformAuthoritiesParts) {
    this.#parts = parts;
  }

  /** Undefined until it has said so once. */
  get known(): readonly PublicKey[] | undefined {
    return this.#known;
  }

  /** An outage stops no start: keys are served, and certificates once it is over. */
  async prepare(signal: AbortSignal): Promise<void> {
    await this.refresh(AbortSignal.any([signal, this.#closed.signal]));
    void this.#keepAsking(this.#closed.signal);
  }

  async finish(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#closed.abort();
  }

  /** Asks now, if it is wanted. Never rejects. */
  async refresh(signal: AbortSignal = this.#closed.signal): Promise<void> {
    const { ask, isWanted } = this.#parts;
    if (!isWanted()) return;
    const number = ++this.#asked;
    try {
      const lines = await ask(signal);
      // Overtaken by a question that was asked after it: what it says is old news.
      if (number < this.#answered) return;
      this.#answered = number;
      this.#learn(lines);
      this.#isTroubled = false;
    } catch (error) {
      if (!signal.aborted) this.#complain(error);
    }
  }

  async #keepAsking(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#parts.clock.sleep(ASK_EVERY_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      await this.refresh();
    }
  }

  #learn(lines: readonly string[]): void {
    const { readKeyLine, onChange } = this.#parts;
    const { value, problems } = lines.length === 0 ? NONE : readAuthorities(lines.join('\n'), readKeyLine);
    if (problems.length > 0) throw new Error(`its list is of no use: ${problems.join('; ')}`);
    this.#known = value;
    onChange();
  }

  /** Once for each outage. */
  #complain(error: unknown): void {
    if (this.#isTroubled) return;
    this.#isTroubled = true;
    const message =
      this.#known === undefined
        ? 'the platform does not say which authorities count: no certificate can be judged until it does'
        : 'the platform does not say which authorities count: those that it named last still do';
    this.#parts.observer.record({ type: 'problem', message, error });
  }
}

const NONE = { value: [], problems: [] };
