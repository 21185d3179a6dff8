/** What hooks and builds try, and what they get. Each test opens with the attack. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { JobResult } from '../../../src/adapters/process/run.js';
import type { SandboxJob } from '../../../src/adapters/process/sandbox.js';
import { DEFAULT_DYNO_LIMITS } from '../../../src/domain/dyno-policy.js';
import { line } from '../../../src/contracts/dyno-driver.js';
import { needs } from '../../support/programs.js';
import { dataFolder, SECRET, type DataFolder } from './attacks.js';
import { bubblewrap, isRoot, RUN_AS, SERVER, sh } from './ground.js';

const { describe: attacks } = needs('bwrap', 'prlimit', 'git', 'perl');
const MIB = 1024 ** 2;

attacks(`a job in bubblewrap, started by ${SERVER},`, () => {
  let data: DataFolder;
  let attack: (script: string, job?: Partial<SandboxJob>) => Promise<JobResult>;

  beforeAll(() => {
    data = dataFolder();
    const sandbox = bubblewrap({ configFile: data.config });
    attack = (script, job) => sh(sandbox, data.own, script, job);
  });

  test('cannot make /usr writable', async () => {
    // The attack: mount /usr anew without `ro`, then plant a git of one's own for everybody.
    const { stdout, stderr } = await attack(
      'mount -o remount,bind,rw /usr; echo mount=$?; touch /usr/bin/planted; echo touch=$?; grep " /usr " /proc/mounts',
    );
    expect(stdout).toMatch(/^mount=[1-9]\d*\ntouch=1\n.* \/usr \S+ ro,nosuid,nodev/);
    expect(stderr).toContain('Read-only file system');
    expect(existsSync('/usr/bin/planted')).toBe(false);
  });

  test('that reads cannot make the repository writable', async () => {
    // The attack: a hook in a clone makes the repository writable and pushes past every check.
    const { stdout } = await attack(
      'mount -o remount,bind,rw /repository; touch /repository/planted; echo touch=$?; chmod u+w /repository; rm -f HEAD; echo rm=$?',
      { access: 'read' },
    );
    expect(stdout).toBe('touch=1\nrm=1\n');
    expect(existsSync(join(data.own, 'planted'))).toBe(false);
    expect(existsSync(join(data.own, 'HEAD'))).toBe(true);
  });

  test('that writes has the repository and scratch folders writable, and nothing else', async () => {
    // The attack: leave something on the machine, or fill its memory through a tmpfs without a size.
    const places =
      '/ /etc /etc/ssl /usr /usr/local /dev /proc /proc/sys/kernel /home /gitmouth /run /var /sys /mnt /root';
    const { stdout } = await attack(
      `for place in ${places} /repository /tmp /home/dyno /dev/shm; do touch $place/x 2>/dev/null && echo $place; done`,
    );
    expect(stdout).toBe('/repository\n/tmp\n/home/dyno\n/dev/shm\n');
  });

  test('cannot change, replace, move or unmount the config of its repository', async () => {
    // The attack: have the next push checked by a config of one's own: no fsck, another hooks folder.
    const before = readFileSync(join(data.own, 'config'));
    const { stdout } = await attack(`
      echo '[core] hooksPath = /tmp' >>/repository/config; echo append=$?
      echo evil >/tmp/evil; cp /tmp/evil /repository/config; echo copy=$?
      echo evil >/repository/evil; mv -f /repository/evil /repository/config; echo replace=$?
      mv /repository/config /repository/elsewhere; echo move=$?
      rm -f /repository/config; echo remove=$?
      ln -sf evil /repository/config; echo link=$?
      git config --file /repository/config gitmouth.canonical no; echo git=$?
      umount /repository/config; echo umount=$?
      git --git-dir=/repository config gitmouth.canonical`);
    expect(stdout).toMatch(
      /^append=[^0]\d*\ncopy=1\nreplace=1\nmove=1\nremove=1\nlink=1\ngit=[^0]\d*\numount=[^0]\d*\nyes\n$/,
    );
    expect(readFileSync(join(data.own, 'config'))).toEqual(before);
  });

  test('finds neither host key, database nor another repository, by any path', async () => {
    // The attack: read them by their own paths, and through every process' root, working folder and descriptors.
    const paths = [data.hostKey, data.database, join(data.other, 'description'), '/etc/shadow', '/etc/passwd-'];
    for (const path of paths.slice(0, 3)) expect(readFileSync(path, 'utf8')).toBe(SECRET);
    const { stdout } = await attack(`
      for path in ${paths.join(' ')}; do
        for root in '' /proc/[0-9]*/root /proc/[0-9]*/cwd /proc/[0-9]*/cwd/.. /proc/[0-9]*/cwd/../.. /proc/[0-9]*/fd/*; do
          cat "$root$path" "$root/\${path##*/}" 2>/dev/null
        done
      done
      ls /repository/.. /repository/../repositories 2>/dev/null
      echo end`);
    expect(stdout).not.toContain(SECRET);
    expect(stdout).not.toContain('root:');
    expect(stdout).not.toContain('other.git');
    expect(stdout).toMatch(/end\n$/);
  });

  test('cannot follow a link out of its repository', async () => {
    // The attack: links in the repository that lead to the host key, and to another repository's objects.
    const { code, stdout } = await attack(`
      ln -sf ${data.hostKey} key; ln -sfn ${data.other} other; ln -sfn .. up
      cat key other/description up/other.git/description 2>/dev/null
      mkdir -p objects/info; echo ${data.other}/objects >objects/info/alternates
      git --git-dir=/repository count-objects -v 2>&1; rm objects/info/alternates; exit 7`);
    expect(code).toBe(7);
    expect(stdout).not.toContain(SECRET);
    expect(stdout).toContain('unable to normalize alternate object path');
  });

  test('holds no descriptor but its own three', async () => {
    // The attack: a folder of this machine that a supervisor left open in the server, as a way out of the sandbox.
    const { stdout } = await attack('for fd in /proc/$$/fd/*; do readlink $fd; ls $fd/ 2>/dev/null; done');
    const targets = stdout.trim().split('\n');
    expect(targets.filter((target) => !/^(socket:|\/dev\/null$)/.test(target))).toEqual([]);
    expect(targets.length).toBeGreaterThanOrEqual(3);
  });

  test('finds no network, and no listener of this machine', async () => {
    // The attack: talk to services of this machine, which trust whoever comes over loopback or an abstract socket.
    const { tcp, abstract, port, name } = await listeners();
    const tcpAttack = `perl -MIO::Socket::INET -e 'print IO::Socket::INET->new("127.0.0.1:${port}") ? "in" : "out"'`;
    // Node 20 pads abstract names with zeroes, later ones do not.
    const abstractAttack = `perl -MSocket -e 'for my $form ("a*", "a108") { socket(S, AF_UNIX, SOCK_STREAM, 0); if (connect(S, pack("S$form", AF_UNIX, "\\0${name}"))) { print "in"; exit } } print "out"'`;
    const script = `${tcpAttack}; ${abstractAttack}; tail -n +3 /proc/net/dev | grep -vc ' lo:'`;
    try {
      expect((await attack(script)).stdout).toBe('outout0\n');
      // That the attack works where a setting lets builds out shows that it could have worked above.
      const sharing = bubblewrap({ configFile: data.config, network: 'shared' }).spawn({
        repository: data.own,
        access: 'read',
        argv: ['sh', '-c', `${tcpAttack}; ${abstractAttack}; cat /etc/resolv.conf >/dev/null && echo resolves`],
      });
      await line(sharing.stdout, 'ininresolves');
      await sharing.kill();
    } finally {
      tcp.close();
      abstract.close();
    }
  });

  test('sees and kills no process but those of its own', async () => {
    // The attack: kill everything the same user runs: the server, other dynos, builds.
    const bystander = spawn('sleep', ['60'], isRoot ? { ...RUN_AS } : {});
    const dyno = bubblewrap({ configFile: data.config }).spawn({
      repository: data.own,
      access: 'read',
      argv: ['sh', '-c', 'echo ready; exec cat'],
    });
    await line(dyno.stdout, 'ready');
    try {
      const { stdout } = await attack(
        `kill -9 ${bystander.pid} ${process.pid}; echo kill=$?; ls -d /proc/[0-9]* | wc -l; (sleep 50 &); kill -9 -1; echo survived`,
      );
      // bwrap, prlimit become sh, ls and wc.
      expect(stdout).toMatch(/^kill=1\n[3-6]\nsurvived\n$/);
      expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
      dyno.stdin.end('alive');
      const [alive] = (await once(dyno.stdout.resume(), 'data')) as [Buffer];
      expect(alive.toString()).toBe('alive');
      expect(await dyno.exit).toEqual({ kind: 'code', code: 0 });
    } finally {
      bystander.kill('SIGKILL');
      await once(bystander, 'exit');
      await dyno.kill();
    }
  });

  test('cannot become root of a nested user namespace', async () => {
    // The attack: a namespace in which it has every capability again, the usual start of a kernel exploit.
    const { stdout } = await attack(
      'unshare --user true; echo user=$?; unshare --map-root-user --mount true; echo root=$?; unshare --net true; echo net=$?',
    );
    expect(stdout).toBe('user=1\nroot=1\nnet=1\n');
  });

  test('gains nothing from a setuid program, and has no capability', async () => {
    // The attack: a program that belongs to somebody else and runs as its owner.
    copyFileSync('/usr/bin/id', join(data.own, 'id'));
    chmodSync(join(data.own, 'id'), 0o6755);
    const { stdout } = await attack('/repository/id; grep -E "^(Cap|NoNewPrivs)" /proc/self/status | tr -d "\\t "');
    const none = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((set) => `${set}:0000000000000000\n`).join('');
    expect(stdout).toBe(`uid=1000(dyno) gid=1000(dyno) groups=1000(dyno)\n${none}NoNewPrivs:1\n`);
    expect(statSync(join(data.own, 'id')).mode & 0o6000).toBe(0o6000);
  });

  test('cannot allocate 4 GiB of memory, nor as much in its scratch folders as its limit', async () => {
    // The attack: make the machine run out of memory, so that it kills the server.
    const { code, stderr } = await attack(`perl -e '$x = "a" x (4 * 1024 ** 3); print "had it\\n"; exit 0'`);
    expect(code).not.toBe(0);
    expect(stderr).toContain('Out of memory');
    const small = { ...DEFAULT_DYNO_LIMITS, memoryBytes: 64 * MIB };
    for (const place of ['/tmp', '/home/dyno', '/dev/shm']) {
      const filled = await attack(`head -c 100M /dev/zero >${place}/fill; echo $?`, { limits: small });
      expect([place, filled.stdout, filled.stderr]).toEqual([place, '1\n', expect.stringContaining('No space left')]);
    }
  });

  test('cannot write a file larger than its limit, use more processor time, or raise its limits', async () => {
    // The attack: fill the disk, mine coins.
    const limits = { ...DEFAULT_DYNO_LIMITS, fileBytes: MIB, cpuSeconds: 1 };
    const filled = await attack('ulimit -f unlimited; head -c 2M /dev/zero >big; echo $?; wc -c <big; rm big', {
      limits,
    });
    expect(filled.stdout).toBe(`153\n${MIB}\n`);
    const spun = await attack("perl -e '1 while 1'; echo $?", { limits });
    expect(spun.stdout).toMatch(/^(137|152)\n$/);
  });

  test('stays within its number of processes when it forks without end, and other dynos work meanwhile', async () => {
    // The attack: a fork bomb (of 2000, so that a failing test leaves a machine to look at).
    const bomb = bubblewrap({ configFile: data.config }).spawn({
      repository: data.own,
      access: 'write',
      argv: [
        'perl',
        '-e',
        '$| = 1; my $n = 0; for (1 .. 2000) { my $p = fork(); last unless defined $p; if (!$p) { sleep 60; exit } $n++ } print "$n\n"; sleep 60',
      ],
    });
    try {
      const [said] = (await once(bomb.stdout, 'data')) as [Buffer];
      const forked = Number(said.toString());
      expect(forked).toBeGreaterThan(100);
      expect(forked).toBeLessThan(DEFAULT_DYNO_LIMITS.processes);
      const other = await attack('for n in 1 2 3 4 5; do (sleep 0.1) & done; wait; echo fine', { access: 'read' });
      expect(other).toEqual({ code: 0, stdout: 'fine\n', stderr: '' });
    } finally {
      await bomb.kill();
    }
  });

  test('knows itself as a user with a name, a home and a machine, none of them real', async () => {
    writeFileSync(join(data.own, 'note'), '');
    const { stdout } = await attack('whoami; echo ~; uname -n; ls -A ~ /tmp; pwd');
    expect(stdout).toBe('dyno\n/home/dyno\ndyno\n/home/dyno:\n\n/tmp:\n/repository\n');
  });

  async function listeners(): Promise<{ tcp: Server; abstract: Server; port: number; name: string }> {
    const name = `gitmouth-test-${process.pid}`;
    const [tcp, abstract] = [createServer((socket) => socket.destroy()), createServer((socket) => socket.destroy())];
    tcp.listen(0, '127.0.0.1');
    abstract.listen(`\0${name}`);
    await Promise.all([once(tcp, 'listening'), once(abstract, 'listening')]);
    const address = tcp.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return { tcp, abstract, port: address.port, name };
  }

  afterAll(() => chmodSync(data.folder, 0o711));
});
