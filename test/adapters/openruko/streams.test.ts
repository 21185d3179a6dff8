/** Long random streams through the rendezvous. */
import { RendezvousTransport } from '../../../src/adapters/openruko/rendezvous-transport.js';
import { never } from '../../../src/contracts/contract.js';
import {
  LONG_STREAM_BYTES,
  LONG_STREAM_LIMIT_MS,
  LONG_STREAM_SAYS,
  passLongStream,
} from '../../support/long-stream.js';
import { SERVICE_KEY } from '../../support/openruko/api-server.js';
import { DynoHost } from '../../support/openruko/dyno-host.js';
import { needs } from '../../support/programs.js';
import { openGround } from './ground.js';

const { test } = needs('openssl');

/** Git's first word; a dyno's connection is none of git's without it. */
const FLUSH = '0000';

test(
  LONG_STREAM_SAYS,
  async () => {
    const { identity, trust } = openGround();
    const host = await DynoHost.start({ identity });
    const settings = { port: host.port, serviceKey: SERVICE_KEY, trust, connectMs: 5_000, firstWordMs: 10_000 };
    try {
      // No end of input reaches the command: it counts.
      const id = host.take(['sh', '-c', `printf ${FLUSH}; exec head -c ${LONG_STREAM_BYTES}`]);
      const link = { kind: 'rendezvous', host: '127.0.0.1', service: 'git-upload-pack' } as const;
      const session = await new RendezvousTransport(settings).open({ id, link }, never());
      await passLongStream('through the rendezvous', session, FLUSH);
      await session.close();
    } finally {
      await host.stop();
    }
  },
  LONG_STREAM_LIMIT_MS,
);
