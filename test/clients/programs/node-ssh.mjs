/**
 * An ssh command for git by Node's ssh2: node-ssh.mjs [-o OPTION] -p PORT USER@HOST COMMAND, with the key in
 * NODE_SSH_KEY and the server's keys (the base64 part of a line of known_hosts) in NODE_SSH_HOST_KEYS.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import ssh2 from 'ssh2';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', short: 'p', default: '22' },
    option: { type: 'string', short: 'o', multiple: true },
  },
});
const [target = '', command = ''] = positionals;
const [username, host] = target.split('@');
const known = (process.env['NODE_SSH_HOST_KEYS'] ?? '').split(',');
const protocol = process.env['GIT_PROTOCOL'];

const client = new ssh2.Client();
client.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 255;
});
client.on('ready', () => {
  client.exec(command, protocol === undefined ? {} : { env: { GIT_PROTOCOL: protocol } }, (error, channel) => {
    if (error) throw error;
    channel.on('exit', (code) => {
      process.exitCode = code ?? 255;
    });
    channel.on('close', () => client.end());
    process.stdin.pipe(channel);
    channel.pipe(process.stdout);
    channel.stderr.pipe(process.stderr);
  });
});
// A client that is done, and still asked for input, would wait for git to end its own side.
client.on('close', () => process.stdin.destroy());
client.connect({
  host,
  port: Number(values.port),
  username,
  privateKey: readFileSync(process.env['NODE_SSH_KEY'] ?? ''),
  hostVerifier: (key) => known.includes(key.toString('base64')),
});
