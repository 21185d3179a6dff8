/** A recorded session with bits flipped, and messages dropped, doubled, swapped, cut short or grown. */
import fc from 'fast-check';
import { HostileClient } from '../../../support/hostile/client.js';
import type { FuzzGround } from './fuzz-ground.js';
import { proofFor, type Recording } from './recording.js';
import { pieces, segments, type Segments } from './segments.js';
import { shield } from './shield.js';

/** Places are taken modulo what there is, so that one arbitrary fits every recording. */
interface Change {
  readonly how: 'flip' | 'drop' | 'double' | 'swap' | 'cut' | 'grow' | 'stop';
  readonly message: number;
  /** A byte in it, or the message it is swapped with. */
  readonly place: number;
  readonly bit: number;
}

export interface Tampered {
  /** What the changes are made to: bytes on the line, messages before they are encrypted, or packets after. */
  readonly what: 'line' | 'payloads' | 'packets';
  readonly changes: readonly Change[];
  readonly segments: Segments;
}

const change: fc.Arbitrary<Change> = fc.record({
  how: fc.constantFrom('flip', 'flip', 'drop', 'double', 'swap', 'cut', 'grow', 'stop'),
  message: fc.nat(1_000),
  place: fc.nat(4_096),
  bit: fc.nat(7),
});

export const tampered: fc.Arbitrary<Tampered> = fc.record({
  what: fc.constantFrom('line', 'payloads', 'packets'),
  changes: fc.array(change, { minLength: 1, maxLength: 3 }),
  segments,
});

/** Sends it again. Rejects when the server stops reading. */
export async function replay({ what, changes, segments: sizes }: Tampered, recording: Recording, ground: FuzzGround) {
  const client = what === 'line' ? await HostileClient.dial(ground.port) : await HostileClient.connect(ground.port);
  shield(client);
  try {
    for (const bytes of prepared(what, changes, client, recording, ground)) {
      for (const piece of pieces(bytes, sizes)) {
        if (client.isClosed) return;
        client.raw(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await ground.hasTaken(client);
  } finally {
    await client.close();
  }
}

function prepared(
  what: Tampered['what'],
  changes: readonly Change[],
  client: HostileClient,
  { writes, payloads, proofAt }: Recording,
  ground: FuzzGround,
): readonly Buffer[] {
  const changed = (messages: readonly Buffer[]) => changes.reduce(apply, messages);
  if (what === 'line') return changed(writes);
  const fresh = payloads.map((payload, at) => (at === proofAt ? proofFor(client, ground) : payload));
  const seal = (payload: Buffer) => client.sealed(payload);
  return what === 'payloads' ? changed(fresh).map(seal) : changed(fresh.map(seal));
}

function apply(messages: readonly Buffer[], { how, message, place, bit }: Change): readonly Buffer[] {
  const at = message % Math.max(1, messages.length);
  const other = place % Math.max(1, messages.length);
  const found = messages[at];
  if (found === undefined) return messages;
  switch (how) {
    case 'flip':
      return messages.with(at, flipped(found, place, bit));
    case 'drop':
      return messages.toSpliced(at, 1);
    case 'double':
      return messages.toSpliced(at, 0, found);
    case 'swap':
      return messages.with(at, messages[other] ?? found).with(other, found);
    case 'cut':
      return messages.with(at, found.subarray(0, place % (found.length + 1)));
    case 'grow':
      return messages.with(at, Buffer.concat([found, Buffer.alloc((place % 64) + 1, bit)]));
    case 'stop':
      return messages.slice(0, at);
  }
}

function flipped(bytes: Buffer, place: number, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  const at = place % Math.max(1, bytes.length);
  changed[at] = (changed[at] ?? 0) ^ (1 << bit);
  return changed;
}
