/** Logging in with a security key: by hand, over a raw client, and by OpenSSH with an agent that holds one. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readKeyBlob } from '../../../src/adapters/ssh2/public-keys.js';
import type { StrangersConduct } from '../../../src/domain/penalty-policy.js';
import type { PublicKey } from '../../../src/domain/public-key.js';
import { userNotVerifiedBanner } from '../../../src/domain/words/login.js';
import type { StrangerWatch } from '../../../src/ports/stranger-watch.js';
import { until } from '../../../src/contracts/contract.js';
import { Agent } from '../../support/agent.js';
import { needs, NEWER_SSH } from '../../support/programs.js';
import {
  FLAGS,
  makeSecurityKey,
  SECURITY_KEY_TYPES,
  type Assertion,
  type SecurityKey,
} from '../../support/security-key.js';
import { MESSAGE, named, offer, proof, Reader, signedData, type KeyRequest } from '../../support/ssh-bytes.js';
import { temporaryFolder } from '../../support/temporary.js';
import { makePair, openGround, type Ground } from './ground.js';
import { openssh } from './openssh.js';
import { RawClient } from './raw-client.js';

let ground: Ground;
let client: RawClient;

beforeEach(async () => {
  ground = await openGround();
  client = await RawClient.connect(ground.port);
});

afterEach(async () => {
  await client.close();
  await ground.close();
});

function publicKey(blob: Buffer): PublicKey {
  const reading = readKeyBlob(blob);
  if ('problem' in reading) throw new Error(reading.problem);
  return reading.key;
}

/** Alice's, with this log-in request by it. */
function register(key: SecurityKey, needsVerification = false): KeyRequest {
  const { sha256, ...rest } = publicKey(key.blob);
  ground.gateway.platform.register('alice', { sha256, ...rest });
  if (needsVerification) ground.gateway.verifying.add(sha256);
  return { algorithm: key.algorithm, blob: key.blob };
}

async function answerTo(request: KeyRequest, key: SecurityKey, assertion?: Assertion): Promise<number | undefined> {
  client.send(proof(request, key.sign(signedData(client.sessionId, request), assertion)));
  return (await client.next(MESSAGE.USERAUTH_SUCCESS, MESSAGE.USERAUTH_FAILURE, MESSAGE.DISCONNECT))[0];
}

function failures(): readonly string[] {
  return ground.observer.ofType('login-failed').map(({ reason }) => reason);
}

function banners(): readonly string[] {
  const found = client.received.filter(([type]) => type === MESSAGE.USERAUTH_BANNER);
  return found.map((banner) => new Reader(banner).text());
}

test('clients are told that security keys are taken', async () => {
  const extensions = new Reader(await client.next(MESSAGE.EXT_INFO));
  extensions.uint32();
  expect(extensions.text()).toBe('server-sig-algs');
  expect(extensions.text().split(',')).toEqual([
    'ssh-ed25519',
    'sk-ssh-ed25519@openssh.com',
    'sk-ecdsa-sha2-nistp256@openssh.com',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ]);
});

describe.each(SECURITY_KEY_TYPES)('a security key (%s)', (type) => {
  const key = makeSecurityKey(type);

  test('that was touched logs in, having been offered', async () => {
    const request = register(key);
    client.send(offer(request));
    const approved = new Reader(await client.next(MESSAGE.USERAUTH_PK_OK, MESSAGE.USERAUTH_FAILURE));
    expect([approved.text(), approved.string()]).toEqual([key.algorithm, key.blob]);
    expect(await answerTo(request, key)).toBe(MESSAGE.USERAUTH_SUCCESS);
    expect(ground.observer.ofType('login-succeeded')).toMatchObject([
      { user: 'alice', fingerprint: publicKey(key.blob).sha256 },
    ]);
  });

  test('that was not touched is refused, known or not', async () => {
    const request = register(key);
    expect(await answerTo(request, key, { flags: FLAGS.NONE })).toBe(MESSAGE.USERAUTH_FAILURE);
    expect(await answerTo(request, key, { flags: FLAGS.VERIFIED })).toBe(MESSAGE.USERAUTH_FAILURE);
    expect(failures()).toEqual(['bad-signature', 'bad-signature']);
    expect(ground.gateway.lookups).toEqual([]);
    expect(await answerTo(request, key)).toBe(MESSAGE.USERAUTH_SUCCESS);
  });

  test('that must verify its user logs in when it has, and is told what to do when it has not', async () => {
    const request = register(key, true);
    for (let round = 0; round < 2; round++) {
      expect(await answerTo(request, key)).toBe(MESSAGE.USERAUTH_FAILURE);
    }
    expect(failures()).toEqual(['user-not-verified', 'user-not-verified']);
    expect(banners()).toEqual([userNotVerifiedBanner()]);
    expect(await answerTo(request, key, { flags: FLAGS.PRESENT_AND_VERIFIED })).toBe(MESSAGE.USERAUTH_SUCCESS);
  });

  test('proves nothing by what was signed in another connection', async () => {
    const request = register(key);
    const recorded = proof(request, key.sign(signedData(Buffer.alloc(32), request)));
    client.send(recorded);
    await client.next(MESSAGE.USERAUTH_FAILURE);
    expect(failures()).toEqual(['bad-signature']);
  });
});

test('a plain key that must verify its user never logs in, as it cannot', async () => {
  const plain = makePair();
  ground.gateway.platform.register('alice', plain.publicKey);
  ground.gateway.verifying.add(plain.fingerprint);
  client.prove({ algorithm: 'ssh-ed25519', blob: plain.blob }, plain);
  await client.next(MESSAGE.USERAUTH_FAILURE);
  expect(failures()).toEqual(['user-not-verified']);
});

test('a registered key that has not verified its user is held against nobody', async () => {
  // Penalties are for who holds no key of this place: an address behind which users share one would be shut out.
  const conducts: StrangersConduct[] = [];
  const strangers: StrangerWatch = {
    of: () => Promise.resolve(undefined),
    ended: (_address, conduct) => void conducts.push(conduct),
  };
  const watched = await openGround({ strangers });
  try {
    const key = makeSecurityKey();
    const visit = async (assertion: Assertion) => {
      const visitor = await RawClient.connect(watched.port);
      const request = { algorithm: key.algorithm, blob: key.blob };
      visitor.send(proof(request, key.sign(signedData(visitor.sessionId, request), assertion)));
      await visitor.next(MESSAGE.USERAUTH_FAILURE);
      const closed = () => watched.observer.ofType('connection-closed').length;
      const before = closed();
      await visitor.close();
      await until(() => closed() > before, 'the connection is closed');
    };
    watched.gateway.platform.register('alice', publicKey(key.blob));
    watched.gateway.verifying.add(publicKey(key.blob).sha256);
    await visit({ flags: FLAGS.PRESENT });
    expect(conducts).toEqual([]);
    await visit({ flags: FLAGS.NONE });
    expect(conducts).toMatchObject([{ failures: 1 }]);
  } finally {
    await watched.close();
  }
});

test('a damaged request by a security key is refused, and the next one is heard', async () => {
  const key = makeSecurityKey();
  const request = register(key);
  const whole = proof(request, key.sign(signedData(client.sessionId, request)));
  client.send(Buffer.concat([whole, Buffer.alloc(1)]));
  await client.next(MESSAGE.USERAUTH_FAILURE);
  const misnamed = { ...request, algorithm: 'ssh-ed25519' };
  client.send(proof(misnamed, named('ssh-ed25519', Buffer.alloc(64))));
  await client.next(MESSAGE.USERAUTH_FAILURE);
  expect(failures()).toEqual(['bad-key', 'bad-key']);
  client.send(whole);
  await client.next(MESSAGE.USERAUTH_SUCCESS);
});

describe.each([
  { name: 'OpenSSH', program: 'ssh', needed: [] },
  { name: 'OpenSSH 10', program: NEWER_SSH, needed: ['newer-ssh'] },
] as const)('$name', ({ program, needed }) => {
  const { test: withSsh } = needs('ssh', ...needed);

  withSsh.each(SECURITY_KEY_TYPES)('logs in with a key of the type %s', async (type) => {
    const key = makeSecurityKey(type);
    register(key);
    const agent = await Agent.start(key);
    try {
      const file = join(temporaryFolder('key'), 'id.pub');
      writeFileSync(file, `${key.line}\n`);
      const { code, stdout, stderr } = await openssh(ground, file, { ssh: program, agent: agent.path });
      const said = `alice ${publicKey(key.blob).sha256}\n`;
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: said, stderr: '' });
    } finally {
      await agent.stop();
    }
  });

  withSsh('is shown what to do about a key that must verify its user', async () => {
    const key = makeSecurityKey();
    register(key, true);
    const agent = await Agent.start(key);
    try {
      const file = join(temporaryFolder('key'), 'id.pub');
      writeFileSync(file, `${key.line}\n`);
      const { code, stderr } = await openssh(ground, file, { ssh: program, agent: agent.path });
      expect(code).toBe(255);
      expect(stderr).toContain(userNotVerifiedBanner().split('\n')[0]);
    } finally {
      await agent.stop();
    }
  });
});
