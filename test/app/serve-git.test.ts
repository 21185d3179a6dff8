import { describe, expect, test } from '@jest/globals';
import { MemoryPlatform, MemoryLiveConnections, type MemoryCommand } from '../../src/adapters/memory/index.js';
import { LogObserver } from '../../src/adapters/system/log-observer.js';
import { Fault } from '../../src/domain/fault.js';
import type { Ask } from '../../src/ports/git-gateway.js';
import { sampleCaller, sampleKey } from '../../src/contracts/samples.js';
import { echo, exitWith } from '../support/memory-commands.js';
import { command, MemoryHouse } from './memory-house.js';

const SHELL: Ask = { kind: 'shell' };

/** A connection whose connections has not heard yet that its key was removed. */
function unaware(house: MemoryHouse) {
  const elsewhere = new MemoryPlatform();
  elsewhere.register('alice', house.key);
  return new MemoryLiveConnections(elsewhere).add(sampleCaller('alice', house.key));
}

describe('a push', () => {
  test('is authorised, locked, given a dyno and joined, and everything is given back in the opposite order', async () => {
    const house = new MemoryHouse();
    house.command = echo;
    const visit = house.push();
    visit.client.stdin.end('a pack');
    expect(await visit.exit()).toEqual({ code: 0 });
    expect(visit.stdout.toString()).toBe('a pack');
    expect(visit.stderr).toBe('');
    expect(house.journal).toEqual([
      'authorize',
      'acquire',
      'provision',
      'open',
      'close',
      'release while 1 held',
      'lease given back',
      'finish',
      'session-ended',
    ]);
    expect(house.provisioner.releases.map(({ outcome }) => outcome)).toEqual([
      { kind: 'ran', exit: { kind: 'code', code: 0 } },
    ]);
    house.expectNothingHeld(visit);
  });

  test('hands the provisioner the grant, the lease and the session', async () => {
    const house = new MemoryHouse();
    const visit = house.visit(command("git-receive-pack '/shop.git'", 'version=1'));
    await visit.exit();
    const [provision] = house.provisioner.provisions;
    expect(provision?.grant).toMatchObject({ app: 'shop', access: 'write' });
    expect(provision?.lease).toMatchObject({ app: 'shop', token: expect.any(Number) });
    expect(provision?.session).toEqual({
      id: 's-1',
      caller: visit.live.caller,
      request: { service: 'git-receive-pack', app: 'shop', protocol: 1 },
    });
  });

  test('locks the app by the name of the grant and not of the request', async () => {
    const house = new MemoryHouse();
    house.grantMore = { app: 'renamed' };
    await house.push().exit();
    expect(house.provisioner.provisions[0]?.lease?.app).toBe('renamed');
  });

  test('that creates its app is told so before git starts', async () => {
    const house = new MemoryHouse();
    house.platform.creation = { onPush: true, limit: 100 };
    house.command = async ({ stderr }) => {
      stderr.write('git speaks\n');
      return 0;
    };
    const visit = house.push('blog');
    expect(await visit.exit()).toEqual({ code: 0 });
    expect(visit.stderr).toBe(
      " !     The app 'blog' did not exist; this push creates it, and you own it.\ngit speaks\n",
    );
    house.expectNothingHeld(visit);
  });

  test('hears the notice of its grant before git starts', async () => {
    const house = new MemoryHouse();
    house.grantMore = { notice: 'Deploys are slow today.\n\u001b[2JSee you.' };
    house.command = async ({ stderr }) => {
      stderr.write('git speaks\n');
      return 0;
    };
    const visit = house.push();
    await visit.exit();
    expect(visit.stderr).toBe(' !     Deploys are slow today.\n !     \\u001b[2JSee you.\ngit speaks\n');
  });
});

describe('a fetch', () => {
  test('takes no lock, not even while a push holds it', async () => {
    const house = new MemoryHouse();
    await house.locks.acquire(
      'shop',
      { user: 'bob', session: 's-0', since: 0 },
      'refuse',
      0,
      () => undefined,
      new AbortController().signal,
    );
    const visit = house.fetch();
    expect(await visit.exit()).toEqual({ code: 0 });
    expect(house.journal).toEqual([
      'authorize',
      'provision',
      'open',
      'close',
      'release while 1 held',
      'finish',
      'session-ended',
    ]);
    expect(house.provisioner.provisions[0]?.lease).toBeUndefined();
  });

  test.each([
    ['version=0', 0],
    ['version=1', 1],
    ['version=2', 2],
    ['version=3', 0],
    ['version=2:evil=1', 0],
    ['version=2\n', 0],
    [undefined, 0],
  ])('that asks for GIT_PROTOCOL %j gets protocol %d', async (asked, protocol) => {
    const house = new MemoryHouse();
    await house.visit(command("git-upload-pack 'shop'", asked)).exit();
    expect(house.provisioner.provisions[0]?.session.request.protocol).toBe(protocol);
    expect(house.ended.protocol).toBe(protocol);
  });
});

describe('the exit of git', () => {
  test.each([0, 1, 128, 255])('with status %d passes unchanged and without a word', async (code) => {
    const house = new MemoryHouse();
    house.command = exitWith(code);
    const visit = house.push();
    expect(await visit.exit()).toEqual({ code });
    expect(visit.stderr).toBe('');
    expect(house.ended).toMatchObject({ verdict: `exit-${code}`, exit: code });
    house.expectNothingHeld(visit);
  });

  test('by a signal is that signal, and no status', async () => {
    const house = new MemoryHouse();
    house.command = async (process) => {
      process.die('KILL');
      return 0;
    };
    const visit = house.push();
    expect(await visit.exit()).toEqual({ signal: 'KILL' });
    expect(house.ended).toMatchObject({ verdict: 'signal-KILL', exit: 'KILL' });
    house.expectNothingHeld(visit);
  });

  test('follows a signal that the client sends', async () => {
    const house = new MemoryHouse();
    house.command = ({ stdout, trap }) =>
      new Promise((resolve) => {
        trap((name) => resolve(name === 'INT' ? 42 : 1));
        stdout.write('ready');
      });
    const visit = house.push();
    visit.client.stdout.once('data', () => visit.client.signal('INT'));
    expect(await visit.exit()).toEqual({ code: 42 });
  });
});

describe('a refusal', () => {
  const who = (house: MemoryHouse) => ` !     You are alice, by the key ${house.key.sha256}. Session s-1.\n`;

  /** Refused before anything was taken: no lock, no dyno. */
  function expectRefused(house: MemoryHouse, kind: string): void {
    expect(house.ended).toMatchObject({ verdict: `refused-${kind}`, exit: 1, bytesIn: 0, bytesOut: 0 });
    expect(house.ended.fault).toBeUndefined();
    expect(house.provisioner.provisions).toEqual([]);
    expect(house.journal).not.toContain('acquire');
    expect(house.journal).not.toContain('provision');
    house.expectNothingHeld();
  }

  test.each([
    ['ls -la /', 'invalid-command', "'ls -la /' is not a command of this door."],
    ['git-receive-pack shop; id', 'invalid-path', "'git-receive-pack shop; id' does not name an app."],
    ["git-upload-pack '../host-keys'", 'invalid-path', "'git-upload-pack '../host-keys'' does not name an app."],
    ['git-lfs-authenticate shop.git download', 'lfs', 'Git LFS is not served over SSH here.'],
    ['ls \u001b[2J', 'invalid-command', "'ls \\u001b[2J' is not a command of this door."],
  ])('of the command %j is %s, and access control is not asked', async (text, kind, words) => {
    const house = new MemoryHouse();
    const visit = house.visit(command(text));
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr.startsWith(` !     ${words}\n`)).toBe(true);
    expect(visit.stderr.endsWith(who(house))).toBe(true);
    expect(visit.stdout).toHaveLength(0);
    expect(house.journal).toEqual(['finish', 'session-ended']);
    expect(house.ended).not.toHaveProperty('app');
    expectRefused(house, kind);
  });

  test('of a forbidden app and of an unknown one read the same', async () => {
    const said: string[] = [];
    for (const exists of [true, false]) {
      const house = new MemoryHouse();
      if (exists) house.platform.createApp('blog', 'bob');
      const visit = house.push('blog');
      expect(await visit.exit()).toEqual({ code: 1 });
      said.push(visit.stderr.replace(house.key.sha256, 'KEY'));
      expectRefused(house, 'no-access');
      expect(house.ended).toMatchObject({ app: 'blog', service: 'git-receive-pack', protocol: 0 });
      expect(Object.keys(house.ended.phasesMs)).toEqual(['authorize']);
    }
    expect(said[0]).toBe(
      " !     You may not push to 'blog', or there is no such app.\n" +
        ' !     Check the name; for access ask the owner of the app to share it with you.\n' +
        ' !     You are alice, by the key KEY. Session s-1.\n',
    );
    expect(said[1]).toBe(said[0]);
  });

  test('of an archive says who can allow it', async () => {
    const house = new MemoryHouse();
    const visit = house.visit(command("git-upload-archive 'shop.git'"));
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain('ask an operator to allow archives of it.\n');
    expectRefused(house, 'archive-off');
  });

  test('of a new app says what is wrong with its name, or with one more', async () => {
    const house = new MemoryHouse();
    house.platform.creation = { onPush: true, limit: 100 };
    const named = house.push('Blog');
    expect(await named.exit()).toEqual({ code: 1 });
    expect(named.stderr).toContain("'Blog' can not be the name of a new app.\n");
    expectRefused(house, 'invalid-app-name');

    const full = new MemoryHouse();
    full.platform.creation = { onPush: true, limit: 1 };
    const visit = full.push('blog');
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain("You own 1 apps, which is all you may; 'blog' was not created.\n");
    expectRefused(full, 'too-many-apps');
  });

  test('of a key that was removed since, told by access control', async () => {
    const house = new MemoryHouse();
    const live = unaware(house);
    house.platform.removeKey('alice', house.key);
    const visit = house.push('shop', live);
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain('This key is not (or no longer) registered here.\n');
    expectRefused(house, 'key-removed');
  });

  test('by the provisioner gives the lock back and no dyno', async () => {
    const house = new MemoryHouse();
    house.provisioner.refusal = { kind: 'too-many-apps', app: 'shop', limit: 7 };
    const visit = house.push();
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain('You own 7 apps');
    expect(house.journal).toEqual(['authorize', 'acquire', 'provision', 'lease given back', 'finish', 'session-ended']);
    expect(house.ended.verdict).toBe('refused-too-many-apps');
    house.expectNothingHeld(visit);
  });
});

describe('the greeting', () => {
  test('names the user and the key, asks whether the key still counts, and exits with 1', async () => {
    const house = new MemoryHouse();
    const visit = house.visit(SHELL);
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr.startsWith(`Hi alice! You have been recognised by the key ${house.key.sha256}.\n`)).toBe(true);
    expect(visit.stdout).toHaveLength(0);
    expect(house.ended).toMatchObject({ verdict: 'greeted', exit: 1, user: 'alice', fingerprint: house.key.sha256 });
    expect(house.journal).toEqual(['finish', 'session-ended']);
    house.expectNothingHeld(visit);
  });

  test('is refused when the key was removed meanwhile, whatever is remembered of it', async () => {
    const house = new MemoryHouse();
    const live = unaware(house);
    await house.serveGit.identify({ key: house.key }, live.caller.connection, new AbortController().signal);
    house.platform.removeKey('alice', house.key);
    const visit = house.visit(SHELL, live);
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain('This key is not (or no longer) registered here.\n');
    expect(visit.stderr).not.toContain('Hi alice');
    expect(house.ended.verdict).toBe('refused-key-removed');
  });

  test('is no greeting but a fault while the platform is down, and ends when the client leaves', async () => {
    const house = new MemoryHouse();
    house.authenticator.trouble.failWith(new Fault('GM_UNAVAILABLE', 'identify', 'the database is locked'));
    const visit = house.visit(SHELL);
    expect(await visit.exit()).toEqual({ code: 127 });
    expect(visit.stderr).toContain(' !     Your key could not be checked just now.\n');
    expect(house.ended.fault).toEqual({
      code: 'GM_UNAVAILABLE',
      stage: 'identify',
      message: 'the database is locked',
    });

    const stalled = new MemoryHouse();
    stalled.authenticator.trouble.stall();
    const waiting = stalled.visit(SHELL);
    waiting.client.leave();
    expect(await waiting.exit()).toBeUndefined();
    expect(stalled.ended.verdict).toBe('ended-client-left');
    stalled.expectNothingHeld(waiting);
  });
});

describe('the log line of a session', () => {
  test('has who, what, how much and how long, phase by phase', async () => {
    const house = new MemoryHouse();
    const pass = (ms: number) => () => house.clock.advance(ms);
    Object.assign(house.before, { authorize: pass(1), acquire: pass(20), provision: pass(300), open: pass(4_000) });
    house.before.release = pass(600_000);
    const run: MemoryCommand = async (process) => {
      await house.clock.advance(50_000);
      process.stderr.write('12345');
      return echo(process);
    };
    house.command = run;
    const visit = house.visit(command("git receive-pack '/shop'", 'version=2'));
    visit.client.stdin.end(Buffer.alloc(100_000, 'x'));
    expect(await visit.exit()).toEqual({ code: 0 });
    const { connection } = visit.live.caller;
    expect(house.ended).toEqual({
      type: 'session-ended',
      connection: connection.id,
      session: 's-1',
      address: '192.0.2.7',
      software: 'OpenSSH_9.6',
      user: 'alice',
      fingerprint: house.key.sha256,
      app: 'shop',
      service: 'git-receive-pack',
      protocol: 2,
      bytesIn: 100_000,
      bytesOut: 100_005,
      phasesMs: { authorize: 1, lock: 20, queue: 0, provision: 300, connect: 4_000, run: 50_000, release: 600_000 },
      durationMs: 654_321,
      verdict: 'exit-0',
      exit: 0,
    });
  });

  test('never has the credential of the user, in either form and in whatever way the session ends', async () => {
    const credential = 'k3y-of-the-platform';
    for (const stage of ['authorize', 'acquire', 'provision', 'open', 'run', 'release', undefined] as const) {
      const house = new MemoryHouse();
      if (stage !== undefined) {
        house.before[stage] = () => {
          throw new Fault('GM_UNAVAILABLE', 'lock', 'down');
        };
      }
      const caller = sampleCaller('alice', house.key);
      const live = house.serveGit.admit({ ...caller, user: { name: 'alice', credential } });
      const visit = house.push('shop', live);
      await visit.exit();
      let log = '';
      for (const format of ['json', 'text'] as const) {
        const destination = { write: (line: string) => void (log += line) };
        const observer = new LogObserver({ format, level: 'debug', destination });
        for (const event of house.observer.events) observer.record(event);
      }
      expect(log).toContain('s-1');
      expect(log + JSON.stringify(house.observer.events)).not.toContain(credential);
      expect(visit.stderr).not.toContain(credential);
    }
  });

  test('is one for each of many sessions over one connection', async () => {
    const house = new MemoryHouse();
    const live = house.connect();
    const visits = Array.from({ length: 10 }, () => house.fetch('shop', live));
    await Promise.all(visits.map((visit) => visit.exit()));
    expect(new Set(house.observer.ofType('session-ended').map(({ session }) => session)).size).toBe(10);
    house.expectNothingHeld(...visits);
  });
});

test('a proven key that is nobody’s any more is admitted to nothing', async () => {
  const house = new MemoryHouse();
  const visit = house.push('shop', house.connect('alice', sampleKey()));
  expect(await visit.exit()).toEqual({ signal: 'TERM' });
  expect(house.ended.verdict).toBe('ended-key-removed');
  expect(house.journal).toEqual(['finish', 'session-ended']);
});
