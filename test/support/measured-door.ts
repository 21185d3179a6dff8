/** The built program with a look at what it holds: memory, descriptors, children, connections. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Door, until } from './door.js';
import { descendantsOf, descriptorsOf, residentBytes } from './machine.js';

const PROBE = pathToFileURL(join(import.meta.dirname, 'memory-probe.mjs')).href;
const ANSWER_LIMIT_MS = 60_000;
/** Of proc(5), net/tcp. */
const ESTABLISHED = '01';

export interface Usage {
  /** Resident memory of the process. */
  readonly residentBytes: number;
  /** What its objects and buffers take, without what is garbage. */
  readonly heldBytes: number;
}

export interface Look {
  readonly residentBytes: number;
  readonly descriptors: number;
  readonly children: number;
  readonly connections: number;
}

export class MeasuredDoor extends Door {
  constructor(environment: Record<string, string> = {}) {
    super({ NODE_OPTIONS: `--import=${PROBE}`, GITMOUTH_LOG_LEVEL: 'info', ...environment });
  }

  /** Memory after its garbage was collected. */
  async usage(): Promise<Usage> {
    const count = this.#answers().length;
    this.signal('SIGUSR2');
    await until(
      () => this.#answers().length > count,
      ANSWER_LIMIT_MS,
      () => 'the server does not say what it holds',
    );
    const { memory } = JSON.parse(this.#answers().at(-1) ?? '') as { memory: NodeJS.MemoryUsage };
    return { residentBytes: memory.rss, heldBytes: memory.heapUsed + memory.external };
  }

  /** From outside, as it is just now. */
  look(): Look {
    return {
      residentBytes: residentBytes(this.pid),
      descriptors: descriptorsOf(this.pid),
      children: descendantsOf(this.pid).length,
      connections: this.connections(),
    };
  }

  /** Connections that the kernel holds for it. */
  connections(): number {
    // 127.0.0.1, as the kernel writes it; a client of anybody's may have the same port on another address.
    const address = `0100007F:${this.port.toString(16).toUpperCase().padStart(4, '0')}`;
    return readFileSync('/proc/net/tcp', 'latin1')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local = '', , state]) => local === address && state === ESTABLISHED).length;
  }

  async connectionsGone(): Promise<void> {
    await until(
      () => this.connections() === 0,
      ANSWER_LIMIT_MS,
      () => `${this.connections()} connections are left`,
    );
  }

  #answers(): readonly string[] {
    return this.said.split('\n').filter((line) => line.startsWith('{"memory"') && line.endsWith('}'));
  }
}
