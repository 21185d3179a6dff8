/** Getting in to a dyno behind OpenSSH's server, or not; and what its configuration changes. */
import { afterEach, expect } from '@jest/globals';
import { isFault, type Fault } from '../../../src/domain/fault.js';
import type { Dyno } from '../../../src/domain/dyno.js';
import { never, rejectionOf, until, within } from '../../../src/contracts/contract.js';
import { line, read } from '../../../src/contracts/dyno-driver.js';
import type { SshDynoTransport } from '../../../src/adapters/ssh-dyno/ssh-dyno-transport.js';
import { CutWire } from '../../support/cut-wire.js';
import { needs } from '../../support/programs.js';
import { processesWith, Sshd, type SshdOptions } from '../../support/ssh-dyno/sshd.js';
import { makePair } from '../ssh2/ground.js';
import { clientKey, dynoAt, GRACE_MS, heldTo, MIB, running, transportWith } from './ground.js';

const { describe, test } = needs('sshd', 'bwrap');

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function start(options: SshdOptions = {}, authorized = clientKey().publicKey): Promise<Sshd> {
  const sshd = await Sshd.start(authorized, { acceptEnv: 'GITMOUTH_*', ...options });
  stops.push(() => sshd.stop());
  return sshd;
}

async function faultOf(transport: SshDynoTransport, dyno: Dyno): Promise<Fault> {
  const fault = await rejectionOf(transport.open(dyno, never()));
  if (!isFault(fault)) throw new Error(String(fault));
  expect(fault.stage).toBe('connect');
  if (dyno.link.kind === 'ssh') expect(await heldTo(dyno.link.port)).toEqual([]);
  return fault;
}

/** A wire to the dyno that can be cut, and the dyno behind it. */
async function wired(sshd: Sshd): Promise<{ wire: CutWire; dyno: Dyno }> {
  const wire = await CutWire.to(sshd);
  stops.push(() => wire.close());
  return { wire, dyno: dynoAt({ port: wire.port, hostKey: sshd.hostKey }) };
}

describe('a dyno that is not the right one', () => {
  test('has another host key: a fault with both fingerprints', async () => {
    const [right, wrong] = [await start(), await start()];
    const fault = await faultOf(transportWith(), dynoAt({ port: wrong.port, hostKey: right.hostKey }));
    expect(fault.code).toBe('GM_BAD_ANSWER');
    const fingerprints = fault.message.match(/SHA256:[A-Za-z0-9+/]{43}/g);
    expect(new Set(fingerprints).size).toBe(2);
    expect(wrong.log).not.toContain('Accepted');
  });

  test.each(['rsa', 'ecdsa'] as const)('has an %s key alone, where an Ed25519 one is pinned', async (hostKey) => {
    const [right, wrong] = [await start(), await start({ hostKey })];
    const fault = await faultOf(transportWith(), dynoAt({ port: wrong.port, hostKey: right.hostKey }));
    expect([fault.code, fault.message]).toEqual([
      'GM_BAD_ANSWER',
      expect.stringMatching(/no matching host key format.*pinned host key is SHA256:/),
    ]);
  });

  test('does not let our key in: a fault that says what to do', async () => {
    const sshd = await start({}, `ssh-ed25519 ${makePair().blob.toString('base64')}`);
    const fault = await faultOf(transportWith(), dynoAt(sshd));
    expect([fault.code, fault.message]).toEqual(['GM_DYNO_START', expect.stringMatching(/as "dyno".*authorized_keys/)]);
  });

  test('wants a password as well: nothing but the key is ever offered', async () => {
    const sshd = await start({ more: ['PasswordAuthentication yes', 'AuthenticationMethods publickey,password'] });
    expect((await faultOf(transportWith(), dynoAt(sshd))).code).toBe('GM_DYNO_START');
    expect(sshd.log).not.toMatch(/(?:password|keyboard-interactive|none) for/);
  });

  test('knows only what is weak', async () => {
    const sshd = await start({ more: ['KexAlgorithms ecdh-sha2-nistp256,diffie-hellman-group14-sha1'] });
    expect((await faultOf(transportWith(), dynoAt(sshd))).message).toContain('no matching key exchange algorithm');
  });

  test('is nowhere to be found', async () => {
    const sshd = await start();
    const nameless = dynoAt(sshd, { host: 'no-such-host.invalid' });
    expect((await faultOf(transportWith(), nameless)).code).toBe('GM_UNAVAILABLE');
    expect(await faultOf(transportWith(), dynoAt({ ...sshd, hostKey: sshd.hostKey, port: 1 }))).toMatchObject({
      code: 'GM_UNAVAILABLE',
      message: "the dyno's SSH server at 127.0.0.1:1: it could not be reached, or hung up (ECONNREFUSED)",
    });
  });
});

test('an RSA host key is good when it is the pinned one', async () => {
  const sshd = await start({ hostKey: 'rsa' });
  const session = await running('echo $SSH_CONNECTION').open(dynoAt(sshd), never());
  expect((await read(session.stdout)).toString()).toContain(` ${sshd.port}`);
  await session.close();
});

describe('time', () => {
  test('to connect runs over the key exchange and the log-in, wherever the line falls silent', async () => {
    const sshd = await start();
    for (const bytes of [0, 30, 1_200, 2_200]) {
      const { wire, dyno } = await wired(sshd);
      wire.cutAt('down', bytes, () => undefined);
      const fault = await faultOf(transportWith({ connectMs: 300 }), dyno);
      expect([bytes, fault.code]).toEqual([bytes, 'GM_TIMEOUT']);
    }
  });

  test('without a sign of life ends a session over a dead line, after so many keepalives', async () => {
    const { wire, dyno } = await wired(await start());
    const transport = running('echo ready; exec sleep 60', { keepaliveMs: 100, keepaliveMisses: 2, graceMs: 50 });
    const session = await transport.open(dyno, never());
    await line(session.stdout, 'ready');
    const since = performance.now();
    wire.cutAt('down', wire.passed.down, () => undefined);
    const fault = await rejectionOf(session.exit);
    expect(fault).toMatchObject({ code: 'GM_DYNO_LOST', stage: 'run' });
    expect(String(fault)).toContain('has not answered for a while');
    expect(performance.now() - since).toBeGreaterThanOrEqual(200);
    await within(session.close(), 'close');
  });

  test('in which a command says nothing does not count as long as its dyno answers', async () => {
    const session = await running('sleep 0.6; echo done', { keepaliveMs: 50, keepaliveMisses: 2 }).open(
      dynoAt(await start()),
      never(),
    );
    expect((await read(session.stdout)).toString()).toBe('done\n');
    expect(await session.exit).toEqual({ kind: 'code', code: 0 });
    await session.close();
  });
});

describe('signals', () => {
  /** A command that outlives TERM, and whether it is there. */
  async function begin(sshd: Sshd, id: string) {
    const plan = { environment: { GITMOUTH_SESSION_ID: id } };
    const session = await running("trap '' TERM; echo ready; while :; do sleep 0.05; done").open(
      dynoAt(sshd, { plan }),
      never(),
    );
    await line(session.stdout, 'ready');
    return { session, left: () => processesWith(`GITMOUTH_SESSION_ID=${id}`) };
  }

  test('end a command where sshd passes them on', async () => {
    const { session, left } = await begin(await start(), 'passed-on');
    await session.close();
    expect(await session.exit).toEqual({ kind: 'signal', signal: 'KILL' });
    await until(() => left().length === 0, 'the command has ended');
  });

  test('do not where it runs a forced command: the session is closed in time all the same, and told as lost', async () => {
    // sshd's own words: "refusing to send signal TERM to forced-command session".
    const sshd = await start({ keyOptions: 'restrict,command="exec sh -c \\"$SSH_ORIGINAL_COMMAND\\""' });
    const { session, left } = await begin(sshd, 'forced');
    const since = performance.now();
    await session.close();
    expect(performance.now() - since).toBeLessThan(GRACE_MS + 4_000);
    expect(await rejectionOf(session.exit)).toMatchObject({
      code: 'GM_DYNO_LOST',
      message: expect.stringContaining('has not told how the command ended') as unknown,
    });
    expect(left().length).toBeGreaterThan(0);
    expect(sshd.log).toContain('refusing to send signal TERM to forced-command session');
  });
});

test('new keys are made in the middle of a stream, by either side, and not a byte is lost', async () => {
  // Fewer bytes than a MiB between two of the dyno's own are an attack after some time.
  const sshd = await start({ more: ['RekeyLimit 1M', 'LogLevel DEBUG1'] });
  const session = await running('exec cat', { rekeyBytes: 1.5 * MIB }).open(dynoAt(sshd), never());
  const bytes = Buffer.alloc(6 * MIB, 'gitmouth');
  const echoed = read(session.stdout);
  session.stdin.end(bytes);
  const back = await echoed;
  expect(await session.exit).toEqual({ kind: 'code', code: 0 });
  expect(back.equals(bytes)).toBe(true);
  expect(sshd.log.match(/SSH2_MSG_NEWKEYS received/g)?.length).toBeGreaterThan(3);
  await session.close();
});
