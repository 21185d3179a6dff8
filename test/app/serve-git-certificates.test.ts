/** Certificates over connections of any age: judged for each request, and ended when they are taken back. */
import { describe, expect, test } from '@jest/globals';
import { sampleCertificate, sampleConnection, sampleKey } from '../../src/contracts/samples.js';
import { NO_CERTIFICATES } from '../../src/domain/certificate-policy.js';
import type { Certificate } from '../../src/domain/certificate.js';
import { NOTHING_REVOKED } from '../../src/domain/revocations.js';
import { isDeparture } from '../../src/domain/session-end.js';
import type { LiveConnection } from '../../src/ports/live-connections.js';
import { command, gate, MemoryHouse } from './memory-house.js';

const authority = sampleKey();
const TRUSTING = { ...NO_CERTIFICATES, authorities: new Set([authority.sha256]) };

/** A house that trusts the authority, and a connection of alice by a certificate with a key that nobody knows. */
function certified(more: Partial<Certificate> = {}) {
  const house = new MemoryHouse();
  house.proofRules = TRUSTING;
  const certificate = sampleCertificate('alice', { authority, ...more });
  const caller = { connection: sampleConnection(), user: { name: 'alice' }, key: sampleKey(), certificate };
  return { house, caller, live: house.serveGit.admit(caller) };
}

function reasonOf(live: LiveConnection): string | undefined {
  const reason: unknown = live.ended.reason;
  return isDeparture(reason) ? reason.reason : undefined;
}

describe('by a certificate', () => {
  test('one pushes and is greeted, though its key is registered nowhere', async () => {
    const { house, live } = certified();
    const push = house.push('shop', live);
    expect(await push.exit()).toEqual({ code: 0 });
    const greeted = house.visit({ kind: 'shell' }, live);
    await greeted.exit();
    expect(greeted.stderr).toContain("recognised by the certificate 'alice@laptop' (serial 7, by SHA256:");
    const asked = house.visit(command('whoami'), live);
    await asked.exit();
    expect(asked.stdout.toString()).toMatch(
      /^certificate {3}'alice@laptop' \(serial 7, by SHA256:\S+, valid for ever\)$/m,
    );
    house.expectNothingHeld(push, greeted, asked);
  });

  test('one that has expired is refused with its next request, and a running one goes on', async () => {
    const { house, live } = certified({ validBefore: new MemoryHouse().clock.now() + 1_000 });
    const running = gate();
    house.before.run = running.wait;
    const first = house.push('shop', live);
    await running.reached;
    await house.clock.advance(1_000);
    const late = house.fetch('shop', live);
    expect(await late.exit()).toEqual({ code: 1 });
    expect(late.stderr).toContain('Your certificate expired at');
    const shell = house.visit({ kind: 'shell' }, live);
    expect(await shell.exit()).toEqual({ code: 1 });
    expect(shell.stderr).toContain('Your certificate expired at');
    const asked = house.visit(command('doctor'), live);
    expect(await asked.exit()).toEqual({ code: 1 });
    expect(asked.stderr).toContain('Your certificate expired at');
    house.serveGit.endTakenBack();
    expect(reasonOf(live)).toBeUndefined();
    running.open();
    expect(await first.exit()).toEqual({ code: 0 });
    house.expectNothingHeld(first, late, shell, asked);
  });

  test('another command than the forced one is refused, a plain shell too; the forced one is served however it is written', async () => {
    const forced = { name: 'force-command', value: "git-upload-pack 'shop'" };
    const { house, live } = certified({ criticalOptions: [forced] });
    house.platform.createApp('blog', 'alice');
    const good = [house.visit(command('git upload-pack /shop.git'), live), house.fetch('shop', live)];
    for (const visit of good) expect(await visit.exit()).toEqual({ code: 0 });
    const bad = [house.push('shop', live), house.fetch('blog', live), house.visit({ kind: 'shell' }, live)];
    const others = [
      house.visit(command('ls'), live),
      house.visit(command('whoami'), live),
      house.visit(command("git-upload-pack '../shop'"), live),
    ];
    for (const visit of [...bad, ...others]) {
      expect(await visit.exit()).toEqual({ code: 1 });
      expect(visit.stderr).toContain("for one command alone: 'git-upload-pack 'shop''.");
    }
  });

  test('of a forced command that is none of git nothing is served, that command neither', async () => {
    const { house, live } = certified({ criticalOptions: [{ name: 'force-command', value: '/bin/true' }] });
    const visits = [house.visit(command('/bin/true'), live), house.fetch('shop', live)];
    for (const visit of visits) {
      expect(await visit.exit()).toEqual({ code: 1 });
      expect(visit.stderr).toContain("for one command alone: '/bin/true'.");
    }
  });
});

describe('what is taken back', () => {
  const key = sampleKey();

  test.each<[string, (house: MemoryHouse, certificate: Certificate) => void]>([
    [
      'its serial',
      (house) => {
        house.proofRules = { ...TRUSTING, revocations: { ...NOTHING_REVOKED, serials: [{ first: 7n, last: 7n }] } };
      },
    ],
    [
      'its authority',
      (house) => {
        house.proofRules = NO_CERTIFICATES;
      },
    ],
    [
      'that it names this user',
      (house) => {
        house.proofRules = { ...TRUSTING, naming: 'key-id' };
      },
    ],
  ])('%s: its connections end with their sessions, and no request is served', async (_, takeBack) => {
    const { house, caller, live } = certified();
    const byKey = house.connect();
    const running = gate();
    house.before.run = running.wait;
    const push = house.push('shop', live);
    await running.reached;
    takeBack(house, caller.certificate);
    house.serveGit.endTakenBack();
    expect(reasonOf(live)).toBe('key-revoked');
    running.open();
    expect(await push.exit()).toEqual({ signal: 'TERM' });
    expect(push.stderr).toContain('Your key or certificate does not count here any more.');
    expect(reasonOf(byKey)).toBeUndefined();
    // One that was proven just before, and one that is not ended yet.
    expect(reasonOf(house.serveGit.admit(caller))).toBe('key-revoked');
    const late = house.fetch('shop', house.connections.add({ ...caller }));
    expect(await late.exit()).toEqual({ code: 1 });
    expect(late.stderr).toMatch(/Your certificate|This key is not/);
  });

  test('a plain key: its connections end, and those of others do not', () => {
    const house = new MemoryHouse();
    house.platform.register('alice', key);
    const [revoked, kept] = [house.connect('alice', key), house.connect()];
    house.serveGit.endTakenBack();
    expect([reasonOf(revoked), reasonOf(kept)]).toEqual([undefined, undefined]);
    house.proofRules = { ...TRUSTING, revocations: { ...NOTHING_REVOKED, keys: new Set([key.sha256]) } };
    house.serveGit.endTakenBack();
    expect([reasonOf(revoked), reasonOf(kept)]).toEqual(['key-revoked', undefined]);
  });

  test('a certificate that names somebody else by now serves no request, though it is in force', async () => {
    const { house, caller } = certified({ keyId: 'bob' });
    house.platform.register('bob', sampleKey());
    const live = house.connections.add({ ...caller, connection: { ...caller.connection, login: 'alice' } });
    const before = house.fetch('shop', live);
    expect(await before.exit()).toEqual({ code: 0 });
    house.proofRules = { ...TRUSTING, naming: 'key-id' };
    const after = house.fetch('shop', live);
    expect(await after.exit()).toEqual({ code: 1 });
    expect(after.stderr).toContain('This key is not (or no longer) registered here.');
  });

  test('nothing is, while it is not known which authorities count; requests are faults then', async () => {
    const { house, live } = certified();
    house.proofRules = { ...TRUSTING, authorities: undefined };
    house.serveGit.endTakenBack();
    expect(reasonOf(live)).toBeUndefined();
    const fetch = house.fetch('shop', live);
    expect(await fetch.exit()).toEqual({ code: 127 });
    expect(fetch.stderr).toContain('Your key could not be checked just now.');
  });
});
