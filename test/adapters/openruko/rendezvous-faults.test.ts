/** One row for each way a dyno host can fail, and the traps it sets: what comes of it. */
import { randomUUID } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { expect } from '@jest/globals';
import { RendezvousTransport, type RendezvousSettings } from '../../../src/adapters/openruko/rendezvous-transport.js';
import type { TlsTrust } from '../../../src/adapters/remote/tls.js';
import type { Dyno } from '../../../src/domain/dyno.js';
import { isFault } from '../../../src/domain/fault.js';
import { never, within } from '../../../src/contracts/contract.js';
import { read } from '../../../src/contracts/dyno-driver.js';
import { SERVICE_KEY } from '../../support/openruko/api-server.js';
import { Authority, type Identity } from '../../support/openruko/certificates.js';
import { DynoHost, type DynoHostOptions, type DynoMisbehaviour } from '../../support/openruko/dyno-host.js';
import { needs } from '../../support/programs.js';
import { openGround } from './ground.js';

const { test, describe } = needs('openssl');

const GREETING = '0009hello0000';

function dynoOf(id: string): Dyno {
  return { id, link: { kind: 'rendezvous', host: '127.0.0.1', service: 'git-upload-pack' } };
}

function transportTo(port: number, more: Partial<RendezvousSettings> = {}): RendezvousTransport {
  const { trust } = openGround();
  return new RendezvousTransport({
    port,
    serviceKey: SERVICE_KEY,
    trust,
    connectMs: 500,
    firstWordMs: 5_000,
    ...more,
  });
}

async function withHost(use: (host: DynoHost) => Promise<void>, options: Partial<DynoHostOptions> = {}): Promise<void> {
  const host = await DynoHost.start({ identity: openGround().identity, ...options });
  try {
    await use(host);
  } finally {
    await host.stop();
  }
}

/** What opening and running comes to: `exit n`, or `fault CODE stage`, in which no secret is. */
async function outcomeOf(transport: RendezvousTransport, dyno: Dyno): Promise<string> {
  try {
    const session = await within(transport.open(dyno, never()), 'the dyno to open');
    session.stdout.resume();
    const exit = await within(session.exit, 'the exit').finally(() => session.close());
    return exit.kind === 'code' ? `exit ${exit.code}` : exit.signal;
  } catch (error) {
    if (!isFault(error)) throw error;
    expect(`${error.message} ${String(error.cause)}`).not.toContain(SERVICE_KEY);
    return `fault ${error.code} ${error.stage}`;
  }
}

describe('a dyno host that misbehaves', () => {
  const rows: readonly (readonly [DynoMisbehaviour, string])[] = [
    ['slow', 'fault GM_TIMEOUT connect'],
    ['not-provisioned', 'fault GM_DYNO_START connect'],
    ['closed', 'fault GM_DYNO_LOST connect'],
    ['reset', 'fault GM_DYNO_LOST connect'],
    ['garbage', 'fault GM_BAD_ANSWER connect'],
    ['html', 'fault GM_BAD_ANSWER connect'],
    ['half-a-word', 'fault GM_BAD_ANSWER connect'],
    ['echo-header', 'fault GM_BAD_ANSWER connect'],
  ];
  for (const [misbehaviour, expected] of rows)
    test(`${misbehaviour}: ${expected}`, () =>
      withHost(async (host) => {
        const id = host.take([], { misbehaviour });
        expect(await outcomeOf(transportTo(host.port, { firstWordMs: 300 }), dynoOf(id))).toBe(expected);
        expect(host.connected.length).toBeLessThanOrEqual(1);
      }));

  test('that knows no such dyno: fault GM_DYNO_LOST connect', () =>
    withHost(async (host) => {
      const outcome = outcomeOf(transportTo(host.port), dynoOf(randomUUID()));
      expect(await outcome).toBe('fault GM_DYNO_LOST connect');
    }));

  test('that does not know us: the same', () =>
    withHost(async (host) => {
      const id = host.take(['printf', GREETING]);
      const outcome = outcomeOf(transportTo(host.port, { serviceKey: 'another' }), dynoOf(id));
      expect(await outcome).toBe('fault GM_DYNO_LOST connect');
    }));

  test('that is not there: fault GM_UNAVAILABLE connect', async () => {
    let port = 0;
    await withHost(async (host) => void (port = host.port));
    expect(await outcomeOf(transportTo(port), dynoOf(randomUUID()))).toBe('fault GM_UNAVAILABLE connect');
  });

  test('that takes the connection and says nothing: fault GM_TIMEOUT connect', async () => {
    const mute = createServer((socket) => socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as AddressInfo;
    expect(await outcomeOf(transportTo(port), dynoOf(randomUUID()))).toBe('fault GM_TIMEOUT connect');
    mute.close();
  });
});

describe('a link that is cut', () => {
  test('within the advertisement, and behind it in the middle of a pack, is a fault and never a success', () =>
    withHost(async (host) => {
      const said = `${GREETING}0009\x01PACK0009\x01more0000`;
      for (const cutAfterBytes of [4, 8, 13 + 4, 13 + 9, said.length - 1]) {
        const id = host.take(['printf', said.replaceAll('\x01', '\\001')], { cutAfterBytes });
        expect(await outcomeOf(transportTo(host.port), dynoOf(id))).toBe('fault GM_DYNO_LOST run');
      }
      const whole = host.take(['printf', said.replaceAll('\x01', '\\001')]);
      expect(await outcomeOf(transportTo(host.port), dynoOf(whole))).toBe('exit 0');
    }));

  test('by the death of the connection is a fault, and what had come is read', () =>
    withHost(async (host) => {
      const id = host.take(['sh', '-c', `printf ${GREETING}; exec sleep 60`]);
      const session = await transportTo(host.port).open(dynoOf(id), never());
      const heard = read(session.stdout);
      host.cut(id);
      await expect(within(session.exit, 'the exit')).rejects.toMatchObject({ code: 'GM_DYNO_LOST', stage: 'run' });
      expect((await heard).toString()).toBe(GREETING);
      await session.close();
    }));

  test('by ourselves is never told as an exit', () =>
    withHost(async (host) => {
      const id = host.take(['sh', '-c', `printf ${GREETING}; exec sleep 60`]);
      const session = await transportTo(host.port).open(dynoOf(id), never());
      await session.close();
      await expect(within(session.exit, 'the exit')).rejects.toMatchObject({ code: 'GM_DYNO_LOST' });
    }));
});

describe('the traps of the original dyno host', () => {
  test('no byte of the client comes before the dyno is up, however long it takes', () =>
    withHost(
      async (host) => {
        const id = host.take(['sh', '-c', `printf ${GREETING}; exec head -c 5`]);
        const session = await transportTo(host.port).open(dynoOf(id), never());
        const heard = read(session.stdout);
        session.stdin.write('hello');
        expect((await heard).toString()).toBe(`${GREETING}hello`);
        expect(host.crashes).toBe(0);
        await session.close();
      },
      { bootMs: 300 },
    ));

  test("the end of the client's input does not stop the output", () =>
    withHost(async (host) => {
      const id = host.take(['sh', '-c', `printf ${GREETING}; head -c 4; sleep 0.3; printf later`]);
      const session = await transportTo(host.port).open(dynoOf(id), never());
      const heard = read(session.stdout);
      session.stdin.end('0000');
      expect((await heard).toString()).toBe(`${GREETING}0000later`);
      await session.close();
    }));

  test('its own words are no words of its own once git has spoken, at the start of a chunk as well', () =>
    withHost(async (host) => {
      const words = 'E: Dyno does not exist.';
      const id = host.take(['sh', '-c', `printf ${GREETING}; sleep 0.2; printf '${words}'`]);
      const session = await transportTo(host.port).open(dynoOf(id), never());
      expect((await read(session.stdout)).toString()).toBe(GREETING + words);
      await session.close();
    }));

  test('first words that come byte by byte are told apart all the same', () =>
    withHost(async (host) => {
      const slowly = (text: string) =>
        host.take(['sh', '-c', `for c in ${[...text].join(' ')}; do printf $c; sleep 0.02; done`]);
      expect(await outcomeOf(transportTo(host.port), dynoOf(slowly('0000')))).toBe('exit 0');
      expect(await outcomeOf(transportTo(host.port), dynoOf(slowly('E:!')))).toBe('fault GM_DYNO_START connect');
      expect(await outcomeOf(transportTo(host.port), dynoOf(slowly('Dyno!')))).toBe('fault GM_BAD_ANSWER connect');
    }));
});

describe('who the dyno host is', () => {
  const outcomeWith = async (identity: Identity, trust: Partial<TlsTrust>, options: Partial<DynoHostOptions> = {}) => {
    let outcome = '';
    await withHost(
      async (host) => {
        const id = host.take(['printf', GREETING]);
        const whole = { ...openGround().trust, ...trust };
        outcome = await outcomeOf(transportTo(host.port, { trust: whole }), dynoOf(id));
        // The job is still there: nobody has sent the key and the id.
        if (outcome !== 'exit 0')
          expect(await outcomeOf(transportTo(host.port, { trust: ANYBODY }), dynoOf(id))).toBe('exit 0');
      },
      { identity, ...options },
    );
    return outcome;
  };
  const ANYBODY: TlsTrust = { minVersion: 'TLSv1', verify: false };
  const UNTRUSTED = 'fault GM_BAD_ANSWER connect';

  test('one with a certificate of the CA is trusted, and others are not', async () => {
    const { authority, identity } = openGround();
    expect(await outcomeWith(identity, {})).toBe('exit 0');
    expect(await outcomeWith(new Authority().issue(), {})).toBe(UNTRUSTED);
    expect(await outcomeWith(authority.issueExpired(), {})).toBe(UNTRUSTED);
    expect(await outcomeWith(authority.issue('DNS:elsewhere.example'), {})).toBe(UNTRUSTED);
  });

  test('the pinned one is trusted, and another is not', async () => {
    const { identity, authority } = openGround();
    const pin = { pinnedSha256: identity.sha256 };
    expect(await outcomeWith(identity, pin)).toBe('exit 0');
    expect(await outcomeWith(authority.issue(), pin)).toBe(UNTRUSTED);
  });

  test('an old TLS is spoken only where the lowest version allows it', async () => {
    const { identity } = openGround();
    expect(await outcomeWith(identity, {}, { maxVersion: 'TLSv1.1' })).toBe(UNTRUSTED);
    expect(await outcomeWith(identity, { minVersion: 'TLSv1.3' }, { maxVersion: 'TLSv1.2' })).toBe(UNTRUSTED);
    expect(await outcomeWith(identity, {}, { maxVersion: 'TLSv1.2' })).toBe('exit 0');
    expect(await outcomeWith(identity, { minVersion: 'TLSv1' }, { maxVersion: 'TLSv1.1' })).toBe('exit 0');
  });
});
