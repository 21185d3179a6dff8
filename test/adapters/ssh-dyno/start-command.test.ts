/** What exactly a dyno is asked to run, and what of a link is not even tried. */
import { afterEach, describe, expect, test } from '@jest/globals';
import type { VariablesWay } from '../../../src/adapters/ssh-dyno/start-command.js';
import type { SshLink } from '../../../src/adapters/ssh-dyno/target.js';
import { isFault } from '../../../src/domain/fault.js';
import { never, rejectionOf } from '../../../src/contracts/contract.js';
import { MESSAGE, Reader } from '../../support/ssh-bytes.js';
import { makePair } from '../ssh2/ground.js';
import { AttackGround } from './attack-ground.js';
import { dynoAt, transportWith } from './ground.js';

let ground: AttackGround | undefined;

afterEach(async () => {
  await ground?.close();
  ground = undefined;
});

interface Asked {
  readonly line: string;
  readonly offered: Readonly<Record<string, string>>;
}

/** What a dyno that accepts these variables is asked. */
async function asked(
  accepted: readonly string[],
  variables: VariablesWay,
  plan: Partial<SshLink['plan']>,
  repository = '/srv/app.git',
): Promise<Asked> {
  let heard: Asked | undefined;
  ground = await AttackGround.start(async (wire) => {
    wire.identify();
    await wire.exchangeKeys();
    await wire.acceptLogin();
    await wire.acceptChannel();
    heard = await wire.acceptCommand((name) => accepted.includes(name));
  });
  await ground.open({ variables }, plan, { repository });
  if (heard === undefined) throw new Error('nothing was asked');
  return heard;
}

const environment = { GIT_PROTOCOL: 'version=2', STAGE: "it's", TOKEN: 'hunter2' };
const secrets = ['TOKEN'];
const names = Object.keys(environment);
const plan = { service: 'git-receive-pack', environment, secrets } as const;

describe('the command', () => {
  test.each(['git-upload-pack', 'git-receive-pack', 'git-upload-archive'] as const)(
    'of %s is as git says it',
    async (service) => {
      const { line } = await asked(names, 'auto', { ...plan, service });
      expect(line).toBe(`${service} '/srv/app.git'`);
    },
  );

  test('names the repository in one word, whatever it is', async () => {
    const { line } = await asked(names, 'auto', plan, "/srv/it's $(id) \\ `x`.git");
    expect(line).toBe("git-receive-pack '/srv/it'\\''s $(id) '\\\\' `x`.git'");
  });

  test.each([
    ['auto', names, environment, ''],
    ['auto', ['TOKEN'], environment, "exec env GIT_PROTOCOL='version=2' STAGE='it'\\''s' "],
    ['environment', ['STAGE', 'TOKEN'], environment, ''],
    ['command', names, { TOKEN: 'hunter2' }, "exec env GIT_PROTOCOL='version=2' STAGE='it'\\''s' "],
  ] as const)(
    'has in front of it, with the setting %s and a dyno that accepts %j, just what is missing',
    async (way, accepted, offered, front) => {
      expect(await asked(accepted, way, plan)).toEqual({ line: `${front}git-receive-pack '/srv/app.git'`, offered });
    },
  );

  test.each(['auto', 'command', 'environment'] as const)(
    'is not asked for at all where a secret is refused (%s)',
    async (way) => {
      const reason = await rejectionOf(asked(['GIT_PROTOCOL', 'STAGE'], way, plan));
      expect(String(reason)).toContain('the variable TOKEN is secret');
      expect(String(reason)).not.toContain('hunter2');
      const requests = ground?.wire.received.filter(([type]) => type === MESSAGE.CHANNEL_REQUEST) ?? [];
      expect(requests.map((payload) => new Reader(payload, 5).text())).not.toContain('exec');
      await ground?.expectLeft();
    },
  );
});

describe('a link', () => {
  const key = makePair();
  const good = { port: 22, hostKey: `ssh-ed25519 ${key.blob.toString('base64')}` };
  const ecdsa =
    'ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGXZssMyn2xHKBh38Zib6BScfC3jwUV8wCa7Q9hlPZDsRGUO2QzwvigtXNAfiMdv8W+quNupIF23FBp4yhQhWQQ=';
  test.each([
    ['without a host', { host: '' }, 'its host'],
    ['to a host with a line end', { host: 'a\nb' }, 'its host'],
    ['to no port', { port: 0 }, 'its port is 0'],
    ['to half a port', { port: 2.5 }, 'its port is 2.5'],
    ['without a user', { user: '' }, 'its user'],
    ['to a user with control characters', { user: 'a\u001b[2J' }, 'its user'],
    ['to an option in place of a repository', { repository: '--upload-pack=id' }, 'its repository "--upload-pack=id"'],
    ['to a repository with a line end', { repository: '/a\n/b' }, 'its repository "/a\\n/b"'],
    ['to a repository with a NUL', { repository: '/a\0' }, 'its repository "/a\\u0000"'],
    ['to no repository', { repository: '' }, 'its repository ""'],
    ['to a repository without end', { repository: `/${'a'.repeat(5_000)}` }, 'its repository "/aaa'],
    ['without a host key', { hostKey: '' }, 'its host key: this is not a public key'],
    ['with a private key', { hostKey: key.privateKey }, 'its host key: this is a private key'],
    [
      'with a NIST host key',
      { hostKey: ecdsa },
      'its host key is of the type ecdsa-sha2-nistp256: pin the Ed25519 or the RSA key',
    ],
  ])('%s is a fault of the platform, and nothing is tried', async (_what, wrong, words) => {
    const fault = await rejectionOf(transportWith().open(dynoAt(good, { ...wrong }), never()));
    expect(isFault(fault) && [fault.code, fault.stage]).toEqual(['GM_BAD_ANSWER', 'connect']);
    expect(String(fault)).toContain(`the link to the dyno can't be used: ${words}`);
    expect(String(fault)).not.toContain('PRIVATE');
  });

  test('of another kind is not for this transport', async () => {
    await expect(transportWith().open({ id: 'd', link: { kind: 'memory' } }, never())).rejects.toThrow(
      'of kind memory',
    );
  });
});
