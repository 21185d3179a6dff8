/** Backpressure from end to end: whoever stops reading stops whoever writes, and nothing piles up in between. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import ssh2 from 'ssh2';
import { Door, until, type Person } from '../support/door.js';
import { figure, mebibytes } from '../support/figures.js';
import { descendantsOf, median, residentBytes, type MachineProcess } from '../support/machine.js';
import { needs } from '../support/programs.js';
import { expectSound } from '../support/remains.js';
import { Running } from '../support/running.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const MIB = 1024 ** 2;
const IS_SOAK = process.env['GITMOUTH_SOAK'] === '1';
const CLONE_BYTES = (IS_SOAK ? 1024 : 256) * MIB;
const PUSH_BYTES = 256 * MIB;
const MOST_HELD_BYTES = 4 * MIB;
/** What V8 and the allocator take now and then, whatever is held. */
const SLACK_BYTES = 48 * MIB;
const HUGE_WINDOW = 0x7fff_ffff;
const WATCH_MS = IS_SOAK ? 20_000 : 4_000;
const LIMIT_MS = IS_SOAK ? 1_200_000 : 180_000;

/** The gateway in a process that nothing else shares. */
class Embedded {
  readonly #process: Running;

  constructor(door: Door) {
    const program = join(import.meta.dirname, '../support/gateway-child.mjs');
    this.#process = new Running(process.execPath, [program], { env: door.environment });
  }

  get pid(): number {
    return this.#process.pid;
  }

  async port(): Promise<number> {
    return (JSON.parse((await this.#process.line('"port"')).text) as { port: number }).port;
  }

  /** Bytes held for the one session there is. */
  async heldBytes(): Promise<number> {
    const answers = () => this.#process.stderr.split('\n').filter((line) => line.includes('"sessions"'));
    const count = answers().length;
    this.#process.stdin.write('\n');
    await until(
      () => answers().length > count,
      10_000,
      () => 'the gateway does not answer',
    );
    const { sessions } = JSON.parse(answers().at(-1) ?? '') as { sessions: { heldBytes: number }[] };
    expect(sessions).toHaveLength(1);
    return sessions[0]?.heldBytes ?? NaN;
  }

  async stop(): Promise<void> {
    this.#process.stdin.end();
    const { code, stderr } = await this.#process.ended(30_000);
    if (code !== 0) throw new Error(`the gateway ended with ${code}: ${stderr}`);
  }
}

/** What is held and resident, again and again while nothing moves. */
async function watch(embedded: Embedded, forMs: number): Promise<{ held: number; resident: number }> {
  const held: number[] = [];
  const resident: number[] = [];
  for (const end = performance.now() + forMs; performance.now() < end;) {
    held.push(await embedded.heldBytes());
    resident.push(residentBytes(embedded.pid));
    await sleep(100);
  }
  return { held: Math.max(...held), resident: median(resident) };
}

function report(what: string, held: number, growth: number): void {
  figure(`${what}: most that was held`, mebibytes(held));
  figure(`${what}: growth of the resident memory, as a median`, mebibytes(growth));
}

describe('the memory of a gateway', () => {
  const door = new Door({ GITMOUTH_LOG: 'json' });
  let embedded: Embedded;
  let stop = async () => undefined as void;
  let port: number;
  let person: Person;
  let folder: string;

  beforeAll(async () => {
    await door.cli('user', 'list');
    person = await door.person('ada');
    folder = temporaryFolder('big');
    await person.must(folder, 'init', '-q', '-b', 'main');
    await addBytes(folder, person, CLONE_BYTES);
    const imported = await door.cli('app', 'create', 'big', '--owner', 'ada', '--import', folder);
    expect(imported).toMatchObject({ code: 0 });
    embedded = new Embedded(door);
    stop = () => embedded.stop();
    port = await embedded.port();
    door.use(port);
    // Warm: everything is loaded, and what is made once is made.
    for (let n = 0; n < 5; n += 1) await person.must(folder, 'ls-remote', person.url('big'));
  }, LIMIT_MS);

  afterAll(() => stop());

  test(
    `holds less than 4 MiB of a ${CLONE_BYTES / MIB} MiB clone for a client with a huge window that stops reading`,
    async () => {
      const before = residentBytes(embedded.pid);
      const commit = await person.must(folder, 'rev-parse', 'main');
      const socket = connect(port, '127.0.0.1');
      try {
        const client = new ssh2.Client();
        client.on('error', () => undefined);
        const ready = once(client, 'ready');
        client.connect({ sock: socket, username: 'git', privateKey: readFileSync(person.keyFile) });
        await ready;
        const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) => {
          client.exec("git-upload-pack 'big.git'", (error, opened) => (error ? reject(error) : resolve(opened)));
        });
        grant(client, channel, HUGE_WINDOW);
        const want = `want ${commit} side-band-64k agent=stopper\n`;
        const wantPacket = `${(want.length + 4).toString(16).padStart(4, '0')}${want}`;
        let read = 0;
        channel.stderr.resume();
        channel.on('data', (chunk: Buffer) => {
          read += chunk.length;
          if (read > MIB) socket.pause();
        });
        channel.write(`${wantPacket}00000009done\n`);
        await until(
          () => read > MIB,
          60_000,
          () => `only ${read} bytes came`,
        );
        // The kernel's buffers fill up first.
        await sleep(1_000);
        const { held, resident } = await watch(embedded, WATCH_MS);
        report(`a clone of ${mebibytes(CLONE_BYTES)} by a client that stops reading`, held, resident - before);
        expect(held).toBeGreaterThan(0);
        expect(held).toBeLessThan(MOST_HELD_BYTES);
        expect(resident - before).toBeLessThan(SLACK_BYTES);
      } finally {
        socket.destroy();
        if (!socket.closed) await once(socket, 'close');
      }
    },
    LIMIT_MS,
  );

  test(
    `holds less than 4 MiB of a ${PUSH_BYTES / MIB} MiB push for a dyno that stops reading, and then all of it arrives`,
    async () => {
      const work = temporaryFolder('pushed');
      await person.must(work, 'init', '-q', '-b', 'main');
      await addBytes(work, person, PUSH_BYTES);
      const before = residentBytes(embedded.pid);
      const push = new Running('git', ['push', person.url('pushed'), 'main'], { cwd: work, env: person.environment });
      let stopped: readonly MachineProcess[] = [];
      try {
        const readers = () =>
          descendantsOf(embedded.pid).filter(({ command }) => /^(\S*git|git) .*index-pack/.test(command));
        await until(
          () => readers().length > 0 || push.hasEnded,
          60_000,
          () => `no git reads the pack: ${push.stderr}`,
        );
        stopped = readers();
        for (const { pid } of stopped) process.kill(pid, 'SIGSTOP');
        expect(stopped.length).toBeGreaterThan(0);
        await sleep(1_000);
        const { held, resident } = await watch(embedded, WATCH_MS);
        report(`a push of ${mebibytes(PUSH_BYTES)} into a dyno that stops reading`, held, resident - before);
        expect(held).toBeGreaterThan(0);
        expect(held).toBeLessThan(MOST_HELD_BYTES);
        expect(resident - before).toBeLessThan(SLACK_BYTES);
        expect(push.hasEnded).toBe(false);
        for (const { pid } of stopped) process.kill(pid, 'SIGCONT');
        expect(await push.ended(LIMIT_MS)).toMatchObject({ code: 0 });
      } finally {
        await push.kill();
      }
      // Every object is named by the hash of its bytes, and fsck computes them all again.
      expect(await door.inRepository('pushed', 'rev-parse', 'main')).toBe(await person.must(work, 'rev-parse', 'main'));
      await expectSound(door.repository('pushed'));
    },
    LIMIT_MS,
  );
});

/** A window beyond what ssh2's client grants by itself. */
function grant(client: ssh2.Client, channel: ssh2.ClientChannel, bytes: number): void {
  const { _protocol: protocol } = client as unknown as {
    _protocol: { channelWindowAdjust(channel: number, bytes: number): void };
  };
  const { incoming, outgoing } = channel as unknown as { incoming: { window: number }; outgoing: { id: number } };
  protocol.channelWindowAdjust(outgoing.id, bytes - incoming.window);
  incoming.window = bytes;
}

/**
 * One commit with files of random bytes, quickly: nothing is compressed, as nothing could be, and all lies in one pack.
 * So many files that git on the other side makes one pack of them too (receive.unpackLimit).
 */
async function addBytes(folder: string, person: Person, count: number): Promise<void> {
  const options = [
    '-c',
    'core.compression=0',
    '-c',
    'pack.compression=0',
    '-c',
    'fastimport.unpackLimit=1',
    '-C',
    folder,
  ];
  const git = spawn('git', [...options, 'fast-import', '--quiet', '--depth=0'], {
    env: { PATH: process.env['PATH'], ...person.environment },
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  const ended = once(git, 'close');
  const write = async (data: string | Buffer): Promise<void> => {
    if (!git.stdin.write(data)) await once(git.stdin, 'drain');
  };
  await write('commit refs/heads/main\ncommitter ada <ada@example.com> 1700000000 +0000\ndata 4\nbig\n');
  const FILE_BYTES = 2 * MIB;
  for (let written = 0; written < count; written += FILE_BYTES) {
    await write(`M 100644 inline file-${written / FILE_BYTES}\ndata ${FILE_BYTES}\n`);
    await write(randomBytes(FILE_BYTES));
    await write('\n');
  }
  git.stdin.end('done\n');
  const [code] = (await ended) as [number];
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
}
