/** What a hostile client says in which state of a connection, and what it may never be told there. */
import fc from 'fast-check';
import { MESSAGE } from '../../../support/ssh-bytes.js';
import { HostileClient } from '../../../support/hostile/client.js';
import type { FuzzGround } from './fuzz-ground.js';
import { firstBytes, messageAfterLogin, messageBeforeLogin, messageWithinKeyExchange } from './messages.js';
import { shield } from './shield.js';
import { pieces, segments, type Segments } from './segments.js';

/** Bytes are hexadecimal: a counterexample is printed. */
type Step =
  | { readonly do: 'send'; readonly payload: string; readonly times: number }
  | { readonly do: 'bytes'; readonly bytes: string }
  | { readonly do: 'exchange keys' };

/** One sequence of messages, all at once or in pieces. */
export interface Input {
  readonly steps: readonly Step[];
  readonly segments: Segments;
}

export interface Conversation {
  readonly state: State;
  /** One after the other over one connection, as long as it lasts; then over a new one. */
  readonly inputs: readonly Input[];
}

const STATES = {
  unidentified: firstBytes,
  'exchanging keys': messageWithinKeyExchange,
  'before the log-in': messageBeforeLogin,
  'logged in': messageAfterLogin,
  'with sessions': messageAfterLogin,
};

type State = keyof typeof STATES;

/** The log-in's success and all that comes after it. */
const OF_USERS = [MESSAGE.USERAUTH_SUCCESS, ...Array.from({ length: 176 }, (_, n) => MESSAGE.GLOBAL_REQUEST + n)];

export const conversation: fc.Arbitrary<Conversation> = fc
  .constantFrom(...(Object.keys(STATES) as State[]))
  .chain((state) =>
    fc.record({
      state: fc.constant(state),
      inputs: fc.array(inputIn(state), { minLength: 1, maxLength: 16, size: 'max' }),
    }),
  );

function inputIn(state: State): fc.Arbitrary<Input> {
  const hexadecimal = STATES[state].map((bytes) => bytes.toString('hex'));
  const bytes = fc.record({ do: fc.constant('bytes' as const), bytes: hexadecimal });
  const times = fc.oneof(
    { weight: 12, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.integer({ min: 2, max: 40 }) },
  );
  const send = fc.record({ do: fc.constant('send' as const), payload: hexadecimal, times });
  const exchange = fc.constant({ do: 'exchange keys' as const });
  const step: fc.Arbitrary<Step> =
    state === 'unidentified'
      ? bytes
      : fc.oneof({ weight: 24, arbitrary: send }, { weight: 1, arbitrary: bytes }, { weight: 1, arbitrary: exchange });
  return fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 4 }), segments });
}

/** Holds the conversation. Rejects when the server stops reading, or tells what it may not. */
export async function hold({ state, inputs }: Conversation, ground: FuzzGround): Promise<void> {
  let client: HostileClient | undefined;
  try {
    for (const input of inputs) {
      const isReusable = state !== 'unidentified' && state !== 'exchanging keys';
      if (client === undefined || !isReusable || !ground.isListeningTo(client)) {
        await client?.close();
        client = await enter(state, ground);
      }
      await say(client, input);
      await ground.hasTaken(client);
      expectNoPromotion(client, state);
    }
  } finally {
    await client?.close();
  }
}

async function enter(state: State, { port, key }: FuzzGround): Promise<HostileClient> {
  switch (state) {
    case 'unidentified':
      return shield(await HostileClient.dial(port));
    case 'exchanging keys': {
      const client = shield(await HostileClient.dial(port));
      client.identify();
      return client;
    }
    case 'before the log-in': {
      const client = shield(await HostileClient.connect(port));
      client.requestService();
      return client;
    }
    case 'logged in':
      return shield(await HostileClient.logIn(port, key));
    case 'with sessions': {
      const client = await HostileClient.logIn(port, key);
      await client.exec(await client.open(0));
      await client.open(1);
      return shield(client);
    }
  }
}

async function say(client: HostileClient, { steps, segments: sizes }: Input): Promise<void> {
  for (const step of steps) {
    if (client.isClosed) return;
    if (step.do === 'exchange keys') {
      client.beginKeyExchange();
      // It may well come to nothing, among all the rest.
      client.goOnExchangingKeys().catch(() => undefined);
    } else {
      for (const piece of pieces(bytesOf(client, step), sizes)) {
        client.raw(piece);
        if (sizes.length > 0) await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
}

function bytesOf(client: HostileClient, step: Exclude<Step, { do: 'exchange keys' }>): Buffer {
  if (step.do === 'bytes') return Buffer.from(step.bytes, 'hex');
  const payload = Buffer.from(step.payload, 'hex');
  return Buffer.concat(Array.from({ length: step.times }, () => client.sealed(payload)));
}

/** Nobody is let in, and nothing behind the log-in answers, for want of a proof. */
function expectNoPromotion(client: HostileClient, state: State): void {
  if (state === 'logged in' || state === 'with sessions') return;
  const told = client.received.find(([type = 0]) => OF_USERS.includes(type as never));
  if (told !== undefined) throw new Error(`a stranger was sent ${told.toString('hex')}`);
}
