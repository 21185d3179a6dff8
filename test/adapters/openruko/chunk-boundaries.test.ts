/** However a dyno's bytes are cut into chunks, and whatever these begin with: they come through as they are. */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { expect } from '@jest/globals';
import { RendezvousTransport } from '../../../src/adapters/openruko/rendezvous-transport.js';
import { never, within } from '../../../src/contracts/contract.js';
import { SERVICE_KEY } from '../../support/openruko/api-server.js';
import { needs } from '../../support/programs.js';
import { openGround } from './ground.js';

const { test } = needs('openssl');

/** What the original gitmouth took for the end, at the start of any chunk. */
const WORDS = [
  'E:',
  'E: \n ! Problem provisioning build server\n\n',
  'Dyno does not exist.',
  '0000',
  'PACK',
  '0008NAK\n',
];
const ADVERTISEMENT = '0009hello0000';
const PACKETS = 60;
const ROUNDS = Number(process.env['GITMOUTH_SOAK'] === '1' ? 200 : 10);

interface Said {
  readonly chunks: readonly Buffer[];
  /** How many of them begin with the dyno host's own words. */
  readonly withWords: number;
}

/** A fetch's answer, cut within its packets so that what follows each cut is one of the words. */
function answer(): Said {
  const whole: Buffer[] = [Buffer.from(ADVERTISEMENT)];
  const cuts: number[] = [randomInt(1, ADVERTISEMENT.length)];
  let length = ADVERTISEMENT.length;
  for (let n = 0; n < PACKETS; n += 1) {
    const body = randomBytes(randomInt(100, 4_000));
    // Its band, then a place for a word that is cut in front of.
    body[0] = 1;
    const at = randomInt(1, 50);
    body.write(WORDS[randomInt(WORDS.length)] ?? '', at, 'latin1');
    whole.push(Buffer.from((body.length + 4).toString(16).padStart(4, '0')), body);
    cuts.push(length + 4 + at, length + randomInt(1, 5));
    length += 4 + body.length;
  }
  whole.push(Buffer.from('0000'));
  const bytes = Buffer.concat(whole);
  const places = [...new Set([0, ...cuts, bytes.length])].sort((one, other) => one - other);
  const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
  return { chunks, withWords: chunks.slice(1).filter(beginsWithWords).length };
}

function beginsWithWords(chunk: Buffer): boolean {
  return ['E:', 'Dyno does not exist.'].some((words) => chunk.toString('latin1', 0, words.length) === words);
}

/** One TLS record for each chunk, so that they arrive as they were cut. */
async function say(socket: TLSSocket, chunks: readonly Buffer[]): Promise<void> {
  for (const chunk of chunks) await new Promise((resolve) => socket.write(chunk, resolve));
  socket.end();
}

function digest(chunks: readonly Buffer[]): string {
  return createHash('sha256').update(Buffer.concat(chunks)).digest('hex');
}

test("chunks that begin with the dyno host's own words are git's, and so is everything else behind the first bytes", async () => {
  const { identity, trust } = openGround();
  let said: Said = { chunks: [], withWords: 0 };
  const server = createServer({ key: identity.key, cert: identity.cert }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => void say(socket, said.chunks));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const transport = new RendezvousTransport({
    port,
    serviceKey: SERVICE_KEY,
    trust,
    connectMs: 5_000,
    firstWordMs: 5_000,
  });
  try {
    let [sent, seen] = [0, 0];
    for (let round = 0; round < ROUNDS; round += 1) {
      said = answer();
      const link = { kind: 'rendezvous', host: '127.0.0.1', service: 'git-upload-pack' } as const;
      const session = await within(transport.open({ id: 'a-dyno', link }, never()), 'the dyno to open');
      const heard: Buffer[] = [];
      for await (const chunk of session.stdout) heard.push(chunk as Buffer);
      expect(digest(heard)).toBe(digest(said.chunks));
      expect(await within(session.exit, 'the exit')).toEqual({ kind: 'code', code: 0 });
      sent += said.withWords;
      seen += heard.slice(1).filter(beginsWithWords).length;
      await session.close();
    }
    // They did come as chunks of their own.
    expect(sent).toBeGreaterThan(ROUNDS * 5);
    expect(seen).toBeGreaterThan(sent / 2);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
