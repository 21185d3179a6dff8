/**
 * A gateway in a program of its own, as somebody embeds it: says its port, and for each line it is sent, what its
 * sessions hold. Ends well when its standard input ends.
 */
import { createInterface } from 'node:readline';
import { createGateway, readConfig } from '../../dist/index.js';

const gateway = await createGateway(readConfig());
const { port } = await gateway.start();
const say = (value) => process.stderr.write(`${JSON.stringify(value)}\n`);
say({ port });
for await (const _line of createInterface({ input: process.stdin })) {
  const sessions = gateway.connections().flatMap((connection) => connection.sessions());
  say({ sessions: sessions.map((session) => ({ service: session.service, heldBytes: session.heldBytes() })) });
}
await gateway.stop();
