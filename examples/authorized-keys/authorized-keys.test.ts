import assert from 'node:assert/strict';
import { appendFile, chmod, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PublicKey } from 'gitmouth';
import { authenticatorContract, sampleKey, sampleConnection } from 'gitmouth/contracts';
import { AuthorizedKeys } from './authorized-keys.js';
import { readKeyLines } from './key-lines.js';

const base64 = (key: PublicKey) => Buffer.from(key.blob).toString('base64');

/** An authenticator on a file of its own, as the contract wants it. */
async function openHarness() {
  const folder = await mkdtemp(join(tmpdir(), 'authorized-keys-'));
  const file = join(folder, 'authorized_keys');
  await writeFile(file, '# users of the test\n');
  const removeLines = async (having: string) => {
    const lines = (await readFile(file, 'utf8')).split('\n');
    await writeFile(file, lines.filter((line) => !line.includes(having)).join('\n'));
  };
  return {
    authenticator: new AuthorizedKeys(file),
    register: (user: string, key: PublicKey) => appendFile(file, `${key.algorithm} ${base64(key)} ${user}\n`),
    removeKey: (_user: string, key: PublicKey) => removeLines(base64(key)),
    removeUser: (user: string) => removeLines(` ${user}`),
    breakDown: () => rm(file),
    close: () => rm(folder, { recursive: true }),
    file,
  };
}

// A file answers at once or never: there is nothing to stall.
for (const { name, leftOut, run } of authenticatorContract(openHarness, ['stall'])) {
  test(name, { skip: leftOut !== undefined }, run);
}

const key = sampleKey();
const plain = `${key.algorithm} ${base64(key)}`;
const other = `ssh-ed25519 ${base64(sampleKey())}`;

for (const [line, user] of [
  [`${plain} alice`, 'alice'],
  [`  ${plain}\t alice \r`, 'alice'],
  [`environment="GITMOUTH_USER=alice" ${plain} alice@laptop`, 'alice'],
  [`environment="GITMOUTH_USER=alice",no-pty,no-X11-forwarding ${plain}`, 'alice'],
  [`restrict,environment="GITMOUTH_USER=alice" ${plain} bob`, 'alice'],
  [`restrict ${plain} alice`, 'alice'],
] as const) {
  test(`the line ${line.replace(base64(key), 'AAAA…')} is ${user}'s`, () => {
    assert.deepEqual([...readKeyLines(`# comment\n\n${line}\n`)], [[base64(key), user]]);
  });
}

for (const [lines, problem] of [
  [plain, 'line 1: whose key is it? there is no comment'],
  [`${plain} alice@laptop`, "line 1: whose key is it? the comment 'alice@laptop' is no user name: begin the line with"],
  [`${plain} Alice`, "the comment 'Alice' is no user name"],
  [`environment="GITMOUTH_USER=../x" ${plain}`, "'../x' is no user name"],
  [`environment="GITMOUTH_USER=a",environment="GITMOUTH_USER=b" ${plain}`, 'it names two users'],
  [`environment="PATH=/x" ${plain} alice`, "gitmouth can't do what the option environment asks for"],
  [`from="10.0.0.0/8" ${plain} alice`, "gitmouth can't do what the option from asks for: remove it, or the line"],
  [`command="echo \\"a, b\\"",no-pty ${plain} alice`, "gitmouth can't do what the option command asks for"],
  [`expiry-time="20200101" ${plain} alice`, 'the option expiry-time'],
  [`cert-authority ${plain} alice`, 'the option cert-authority'],
  [`ssh-dss AAAA alice`, 'keys of the type ssh-dss are not supported'],
  [`verify-required sk-ssh-ed25519@openssh.com AAAA alice`, 'verify-required'],
  [`ssh-ed25519 AAAA alice`, 'the key is damaged'],
  [`ssh-rsa ${base64(key)} alice`, 'the key is damaged'],
  [`${plain}! alice`, 'the key is damaged'],
  ['alice', 'this is no key'],
  [`${plain} alice\n${plain} bob`, "line 2: the key is alice's already, and can't be bob's as well"],
  [`${other} bob\nhello\n${plain}`, 'line 2: this is no key'],
  [`hello\n${plain}`, 'line 2: whose key is it?'],
] as const) {
  test(`refused: ${lines.replaceAll(/AAAA\S{9,}/g, 'AAAA…').replaceAll('\n', ' / ')}`, () => {
    assert.throws(
      () => readKeyLines(lines),
      (error) => error instanceof Error && error.message.includes(problem),
    );
  });
}

test('a file that is spoilt, or that others may write, is a fault and no refusal, until it is put right', async () => {
  const { authenticator, file, close } = await openHarness();
  const ask = () => authenticator.identify(key, sampleConnection(), new AbortController().signal);
  try {
    await writeFile(file, `${plain} alice\n${other}\n`);
    await assert.rejects(ask(), { code: 'GM_BAD_ANSWER', stage: 'identify', message: /line 2: whose key is it/ });
    await writeFile(file, `${plain} alice\n`);
    assert.deepEqual(await ask(), { name: 'alice' });
    await chmod(file, 0o664);
    await assert.rejects(ask(), { code: 'GM_BAD_ANSWER', message: /others may write it: run chmod go-w/ });
  } finally {
    await close();
  }
});

test('a file is remembered once nobody has changed it for a while, and read again when it has changed', async () => {
  const { authenticator, file, close } = await openHarness();
  try {
    await writeFile(file, `${plain} alice\n`);
    // Clocks of file systems tick slowly: a second change within a tick would leave no trace.
    assert.notEqual(await authenticator.users(), await authenticator.users());
    const past = new Date(Date.now() - 60_000);
    await utimes(file, past, past);
    const users = await authenticator.users();
    assert.equal(await authenticator.users(), users);
    await appendFile(file, `${other} bob\n`);
    assert.deepEqual([...(await authenticator.users()).values()], ['alice', 'bob']);
  } finally {
    await close();
  }
});
