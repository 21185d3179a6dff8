/** A pusher whose code is run by the operator's hook attacks the machine, through the front door, and gets nothing. */
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Door, type Person, type Result } from '../support/door.js';
import { runningProcesses } from '../support/machine.js';
import { needs } from '../support/programs.js';
import { dynoUserOfItsOwn, expectSound, refOf, Remains } from '../support/remains.js';
import { Running } from '../support/running.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap', 'perl');

const SECRET = 'the-secret-that-no-pusher-sees';

/** As an operator builds what was pushed: by running a script of it. */
const HOOK = `#!/bin/sh
while read -r old new ref; do
  git show "$new:build" >/tmp/build || exit 1
  sh /tmp/build 2>&1
  echo "the build ended with $?"
done
exit 0
`;

describe('a pusher whose build attacks the machine', () => {
  const dynoUser = dynoUserOfItsOwn();
  const hooks = temporaryFolder('hooks');
  const door = new Door({ GITMOUTH_HOOKS: hooks, GITMOUTH_DYNO_USER: String(dynoUser), OPERATOR_TOKEN: SECRET });
  const remains = new Remains(door, dynoUser);
  let mallory: Person;
  let victim: Person;
  let folder: string;
  let secretCommit: string;
  let listener: Server;
  let visitors = 0;

  beforeAll(async () => {
    chmodSync(hooks, 0o755);
    writeFileSync(join(hooks, 'pre-receive'), HOOK, { mode: 0o755 });
    await door.start();
    [mallory, victim] = await Promise.all([door.person('mallory'), door.person('victim')]);
    const private_ = await victim.repository({ build: 'true\n', secret: `${SECRET}\n` });
    await victim.must(private_, 'push', '-q', victim.url('private'), 'main');
    secretCommit = await victim.must(private_, 'rev-parse', 'main');
    folder = await mallory.repository({ build: 'true\n' });
    await mallory.must(folder, 'push', '-q', mallory.url('evil'), 'main');
    listener = createServer((socket) => {
      visitors += 1;
      socket.end(SECRET);
    }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
  });

  afterAll(async () => {
    listener.close();
    await door.stop();
  });

  /** Pushes a script that the hook then runs; what it said, and how the push came out. */
  async function attack(script: string, app = 'evil'): Promise<Result> {
    // Never the same commit twice: a push of what is there runs no hook.
    await mallory.commit(folder, { build: `${script}\n`, count: `${performance.now()}\n` });
    const result = await mallory.git(folder, 'push', '--force', mallory.url(app), 'main');
    expect(result.stderr).not.toContain(SECRET);
    return { ...result, stderr: result.stderr.replace(/^remote: (.*?) *$/gm, '$1') };
  }

  /** The door serves its other users, the victim's repository is as it was, and nothing of the attack goes on. */
  async function expectUnharmed(): Promise<void> {
    const copy = join(temporaryFolder('copy'), 'it');
    expect(await victim.git('/', 'clone', '-q', victim.url('private'), copy)).toMatchObject({ code: 0 });
    expect(await victim.must(copy, 'rev-parse', 'HEAD')).toBe(secretCommit);
    await expectSound(door.repository('private'));
    await remains.noProcess();
  }

  /** And the attacked app itself is as sound as before. */
  async function expectNextPushIsServed(): Promise<void> {
    const { code, stderr } = await attack("echo 'an honest build'");
    expect(stderr).toContain('an honest build');
    expect(code).toBe(0);
    const copy = join(temporaryFolder('copy'), 'it');
    expect(await mallory.git('/', 'clone', '-q', mallory.url('evil'), copy)).toMatchObject({ code: 0, stderr: '' });
    expect(await mallory.must(copy, 'rev-parse', 'HEAD')).toBe(await mallory.must(folder, 'rev-parse', 'main'));
    await expectSound(door.repository('evil'));
    await expectUnharmed();
  }

  test('finds no host key, no database, no other repository and no secret of the server', async () => {
    const { code, stderr } = await attack(`
for path in '${door.data}' '${door.data}/host-keys/ssh_host_ed25519_key' '${door.data}/gitmouth.db' \\
  '${door.repository('private')}' /repository/../private.git /etc/shadow /root /home /proc/1/root/etc/shadow; do
  ls -d "$path" 2>/dev/null | sed 's/^/sees /'
  head -c 100 "$path" 2>/dev/null | sed 's/^/reads /'
done
find / \\( -path /usr -o -path '/proc/[0-9]*' \\) -prune -o \\( -name 'gitmouth.db*' -o -name 'ssh_host_*_key' -o -name 'private.git' \\) -print 2>/dev/null | sed 's/^/finds /'
git --git-dir='${door.repository('private')}' show ${secretCommit}:secret
git show ${secretCommit}:secret
cat /proc/*/environ | tr '\\0' '\\n' | sort -u | sed 's/^/env /'
`);
    expect(code).toBe(0);
    expect(stderr).toContain('the build ended with');
    // An empty folder of its own below /home, and what bubblewrap's first process stands in: the sandbox itself.
    expect(lines(stderr, 'sees ')).toEqual(['sees /home']);
    expect(lines(stderr, 'reads ')).toEqual([]);
    expect(lines(stderr, 'finds ')).toEqual([]);
    expect(lines(stderr, 'env ')).toContain('env GITMOUTH_APP=evil');
    await expectUnharmed();
  });

  test('sees no process of this machine, and leaves none of its own', async () => {
    const { stderr } = await attack(`
for pid in /proc/[0-9]*; do echo "process $(tr '\\0' ' ' <"$pid/cmdline")"; done
kill -0 ${process.pid} && echo 'reaches the tests'
kill -0 ${door.pid} && echo 'reaches the server'
setsid sh -c 'trap "" HUP TERM; sleep 1000' </dev/null >/dev/null 2>&1 &
`);
    const seen = lines(stderr, 'process ');
    expect(seen.length).toBeGreaterThan(2);
    for (const line of seen)
      expect(line).toMatch(/^process (|\S*bwrap .*|prlimit .*|git .*|\/usr\/lib\/git-core\/.*|(\/bin\/)?sh .*|tr .*)$/);
    expect(stderr).not.toContain('reaches');
    await expectUnharmed();
  });

  test('reaches no network, not the listeners of this machine either', async () => {
    const address = listener.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { stderr } = await attack(`
for port in ${port} ${door.port}; do
  perl -MIO::Socket::INET -e '
    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]", Timeout => 5);
    print $socket ? "reached: " . <$socket> : "not reached\\n"' "$port"
done
sed 's/^ *\\([^:]*\\):.*/interface \\1/' /proc/net/dev
`);
    expect(lines(stderr, 'not reached')).toHaveLength(2);
    expect(stderr).not.toMatch(/^reached/m);
    expect(lines(stderr, 'interface ').filter((line) => !/[ |]/.test(line.slice('interface '.length)))).toEqual([
      'interface lo',
    ]);
    expect(visitors).toBe(0);
    await expectUnharmed();
  });

  test('can not write to the machine, remount anything, or make namespaces with rights of their own', async () => {
    const { stderr } = await attack(`
try() { "$@" >/dev/null 2>&1 && echo "succeeded: $*"; }
for path in / /usr /usr/bin /etc /bin /gitmouth /gitmouth/hooks /gitmouth/operator-hooks /repository/.. /dev; do
  try touch "$path/planted"
done
for path in / /usr /etc/passwd /gitmouth/hooks /gitmouth/operator-hooks /repository/config; do
  try mount -o remount,bind,rw "$path"
  try umount -l "$path"
done
try mount -t tmpfs tmpfs /tmp
try mount -t proc proc /proc
try unshare --user --map-root-user true
try unshare --mount true
try unshare --net true
try bwrap --unshare-user --ro-bind / / true
try chroot / true
try mknod /tmp/disk b 8 0
try setpriv --reuid 0 true
try sh -c 'echo 1 >/proc/sys/kernel/sysrq'
try sh -c 'echo x >>/gitmouth/operator-hooks/pre-receive'
echo "rights $(grep CapEff /proc/self/status)"
`);
    expect(stderr).toContain('the build ended with 0');
    expect(lines(stderr, 'succeeded: ')).toEqual([]);
    expect(stderr).toMatch(/^rights CapEff:\s+0000000000000000$/m);
    expect(readFileSync(join(hooks, 'pre-receive'), 'utf8')).toBe(HOOK);
    await expectUnharmed();
  });

  test('gets no 4 GiB of memory', async () => {
    const { stderr } = await attack(
      `perl -e 'my $memory = "x" x (4 * 1024 ** 3); print "has ", length $memory, "\\n"'`,
    );
    expect(stderr).not.toMatch(/^has \d/m);
    expect(stderr).toMatch(/^Out of memory/m);
    await expectUnharmed();
  });

  test('is held to its number of processes when it forks without end, while others are served', async () => {
    await mallory.commit(folder, {
      build: `perl -e '
        $| = 1;
        my $count = 0;
        while ($count < 2000) {
          my $child = fork;
          last unless defined $child;
          if ($child == 0) { sleep 10; exit }
          $count += 1;
        }
        print "forked $count\\n";
        sleep 6;'\n`,
    });
    const bomb = new Running('git', ['push', mallory.url('evil'), 'main'], { cwd: folder, env: mallory.environment });
    try {
      const { text } = await bomb.line('forked ');
      const forked = Number(/forked (\d+)/.exec(text)?.[1]);
      expect(forked).toBeGreaterThan(50);
      expect(forked).toBeLessThan(256);
      for (let n = 0; n < 3; n += 1) {
        expect(await victim.git('/', 'ls-remote', victim.url('private'))).toMatchObject({ code: 0 });
      }
      // Served meanwhile, and not after it.
      expect(bomb.hasEnded).toBe(false);
      expect((await bomb.ended()).code).toBe(0);
    } finally {
      await bomb.kill();
    }
    await expectUnharmed();
  });

  test('kills its own push by kill -9 -1, and nobody else', async () => {
    const waiting = await victim.repository({ build: 'echo "it goes on"; sleep 4; echo "it has survived"\n' });
    const other = new Running('git', ['push', victim.url('other'), 'main'], { cwd: waiting, env: victim.environment });
    try {
      await other.line('it goes on');
      const before = await refOf(door.repository('evil'), 'refs/heads/main');
      const { code, stderr } = await attack('echo begun; sleep 1; kill -9 -1; sleep 5; echo survived');
      expect(stderr).toContain('begun');
      expect(code).not.toBe(0);
      expect(await refOf(door.repository('evil'), 'refs/heads/main')).toBe(before);
      expect(await other.ended()).toMatchObject({ code: 0, stderr: expect.stringContaining('it has survived') });
      expect(runningProcesses().some(({ pid }) => pid === door.pid)).toBe(true);
    } finally {
      await other.kill();
    }
    await expectNextPushIsServed();
  });

  test('spoils its repository for good neither for the next push nor for the next clone', async () => {
    const { stderr } = await attack(`
cd /repository
run='echo pwned >&2; echo pwned >>/repository/pwned'
rm -f config; mv config elsewhere
printf '[core]\\n\\thooksPath = /repository/hooks\\n\\tfsmonitor = %s\\n[uploadpack]\\n\\tpackObjectsHook = %s\\n' "$run" "$run" >config
git config uploadpack.packObjectsHook "$run"
git config --file config.worktree core.hooksPath /repository/hooks
mkdir -p hooks .git/hooks objects/info info
for name in pre-receive post-receive update post-update reference-transaction post-index-change; do
  printf '#!/bin/sh\\n%s\\n' "$run" | tee hooks/$name >.git/hooks/$name
  chmod +x hooks/$name .git/hooks/$name
done
printf '[core]\\n\\tbare = true\\n\\thooksPath = /repository/hooks\\n' >.git/config
cp -r HEAD refs .git/
echo '${door.repository('private')}/objects' >objects/info/alternates
echo '${door.repository('private')}' >commondir
echo 'ref: refs/heads/stolen' >HEAD
ln -sf '${door.data}/gitmouth.db' packed-refs
mkfifo shallow
chmod 0 refs/tags
echo 'all of it done'
`);
    expect(stderr).toContain('all of it done');
    const copy = join(temporaryFolder('copy'), 'it');
    const cloned = await mallory.git('/', 'clone', mallory.url('evil'), copy);
    expect(cloned.stderr).not.toMatch(/pwned|warning|error/);
    expect(cloned.code).toBe(0);
    await expectNextPushIsServed();
    const repository = door.repository('evil');
    for (const path of ['hooks', 'commondir', 'config.worktree', 'objects/info/alternates', 'shallow', '.git']) {
      expect({ path, exists: existsSync(join(repository, path)) }).toEqual({ path, exists: false });
    }
    expect(readFileSync(join(repository, 'HEAD'), 'utf8')).toBe('ref: refs/heads/main\n');
    expect(readFileSync(join(repository, 'config'), 'utf8')).toBe(
      readFileSync(join(door.repository('private'), 'config'), 'utf8'),
    );
    expect(existsSync(join(repository, 'pwned'))).toBe(false);
    const stolen = await mallory.git(folder, 'fetch', mallory.url('evil'), secretCommit);
    expect(stolen.code).not.toBe(0);
  });

  test('gets nothing of another repository by a link in the place of its objects, and breaks its own app alone', async () => {
    await attack('true', 'linked');
    await attack(
      `cd /repository && mv objects away && ln -s '${door.repository('private')}/objects' objects`,
      'linked',
    );
    expect(lstatSync(join(door.repository('linked'), 'objects')).isSymbolicLink()).toBe(true);
    const stolen = await mallory.git(folder, 'fetch', mallory.url('linked'), secretCommit);
    expect(stolen).toMatchObject({ code: 128, stderr: expect.stringContaining('This is a fault on our side') });
    const again = await attack('true', 'linked');
    expect(again.code).not.toBe(0);
    expect(await door.cli('app', 'destroy', 'linked')).toMatchObject({ code: 0 });
    expect(existsSync(door.repository('linked'))).toBe(false);
    await expectUnharmed();
  });
});

function lines(text: string, beginning: string): readonly string[] {
  return text.split('\n').filter((line) => line.startsWith(beginning));
}
