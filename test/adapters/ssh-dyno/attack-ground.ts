/** A hostile dyno, and gitmouth that opens it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { Dyno } from '../../../src/domain/dyno.js';
import { isFault, type Fault } from '../../../src/domain/fault.js';
import type { SshDynoSettings } from '../../../src/adapters/ssh-dyno/settings.js';
import type { SshLink } from '../../../src/adapters/ssh-dyno/target.js';
import type { DynoSession } from '../../../src/ports/transport.js';
import { never, rejectionOf, within } from '../../../src/contracts/contract.js';
import { HostileDyno, type DynoWire } from '../../support/ssh-dyno/hostile-dyno.js';
import { named } from '../../support/ssh-bytes.js';
import { makePair, type Pair } from '../ssh2/ground.js';
import { dynoAt, heldTo, transportWith } from './ground.js';

const pinned = makePair();

export const PINNED_FINGERPRINT = pinned.fingerprint;

/** Signs as the owner of a key, or as somebody who only shows it. */
export function hostSigner(shown: Pair = pinned, owned: Pair = shown) {
  return { blob: shown.blob, sign: (hash: Buffer) => named('ssh-ed25519', owned.sign(hash)) };
}

export class AttackGround {
  readonly dyno: HostileDyno;
  readonly #sessions: DynoSession[] = [];

  private constructor(dyno: HostileDyno) {
    this.dyno = dyno;
  }

  /** @param attack what the dyno does to a connection. */
  static async start(attack: (wire: DynoWire) => Promise<void> | void, host = hostSigner()): Promise<AttackGround> {
    return new AttackGround(await HostileDyno.start(host, attack));
  }

  get wire(): DynoWire {
    const [wire] = this.dyno.wires;
    if (wire === undefined) throw new Error('nobody has connected');
    return wire;
  }

  async open(
    more: Partial<SshDynoSettings> = {},
    plan: Partial<SshLink['plan']> = {},
    link: Partial<Omit<SshLink, 'plan'>> = {},
  ): Promise<DynoSession> {
    const session = await transportWith({ graceMs: 100, ...more }).open(this.#link(plan, link), never());
    for (const stream of [session.stdin, session.stdout, session.stderr]) stream.on('error', () => undefined);
    this.#sessions.push(session);
    return session;
  }

  /** The opening ends in this fault, and nothing stays open. */
  async openFaults(more: Partial<SshDynoSettings> = {}, plan: Partial<SshLink['plan']> = {}): Promise<Fault> {
    const fault = await rejectionOf(this.open(more, plan));
    if (!isFault(fault)) throw new Error(`no fault: ${String(fault)}`);
    expect(fault.stage).toBe('connect');
    await this.expectLeft();
    return fault;
  }

  /** The opening is given up by its signal after so long, with the signal's reason, and nothing stays open. */
  async expectGivenUp(afterMs: number): Promise<void> {
    const giveUp = new AbortController();
    const opening = rejectionOf(transportWith().open(this.#link(), giveUp.signal));
    await sleep(afterMs);
    giveUp.abort(new Error('given up'));
    expect(await opening).toBe(giveUp.signal.reason);
    await this.expectLeft();
  }

  /** The session ends as a lost one, and nothing stays open. @returns why it was. */
  async lost(session: DynoSession): Promise<string> {
    const fault = await rejectionOf(session.exit);
    if (!isFault(fault)) throw new Error(`no fault: ${String(fault)}`);
    expect([fault.code, fault.stage]).toEqual(['GM_DYNO_LOST', 'run']);
    await this.expectLeft();
    return fault.message;
  }

  async expectLeft(): Promise<void> {
    expect(await heldTo(this.dyno.port)).toEqual([]);
  }

  #link(plan: Partial<SshLink['plan']> = {}, link: Partial<Omit<SshLink, 'plan'>> = {}): Dyno {
    const hostKey = `ssh-ed25519 ${pinned.blob.toString('base64')}`;
    return dynoAt({ port: this.dyno.port, hostKey }, { ...link, plan });
  }

  async close(): Promise<void> {
    // A session that still runs would be waited for.
    await this.dyno.stop();
    await within(Promise.all(this.#sessions.map((session) => session.close())), 'close');
  }
}
