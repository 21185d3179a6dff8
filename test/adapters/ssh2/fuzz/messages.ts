/** SSH messages as a hostile client makes them up: of every number, valid, nearly valid, or nothing of the kind. */
import fc from 'fast-check';
import { boolean, MESSAGE, message, string, uint32 } from '../../../support/ssh-bytes.js';
import {
  bytes,
  channel,
  data,
  edge,
  flag,
  joined,
  names,
  nearly,
  number,
  of,
  oneOf,
  text,
  type Fields,
} from './fields.js';

const KEX = [
  'mlkem768x25519-sha256',
  'curve25519-sha256',
  'diffie-hellman-group16-sha512',
  'ext-info-c',
  'kex-strict-c-v00@openssh.com',
];
const CIPHERS = names('aes128-gcm@openssh.com', 'aes256-ctr', 'chacha20-poly1305@openssh.com', '3des-cbc', 'none');
const MACS = names('hmac-sha2-256-etm@openssh.com', 'hmac-sha1', 'none');
const COMPRESSION = names('none', 'zlib', 'zlib@openssh.com');
const HOST_KEYS = names('ssh-ed25519', 'rsa-sha2-512', 'ssh-rsa', 'ssh-dss');
const cookie = fc.constantFrom(0, 255).map((byte) => Buffer.alloc(16, byte));
const point = fc.oneof(
  fc.constantFrom(0, 1, 255).map((byte) => string(Buffer.alloc(32, byte))),
  fc.constantFrom(0, 1, 31, 33, 256, 1216).map((length) => string(Buffer.alloc(length, 9))),
  data,
);

export const keyExchangeMessage: Fields = fc.oneof(
  of(
    MESSAGE.KEXINIT,
    ...[cookie, names(...KEX), HOST_KEYS, CIPHERS, CIPHERS, MACS, MACS, COMPRESSION, COMPRESSION],
    ...[names('en'), names('en'), flag, number],
  ),
  of(MESSAGE.NEWKEYS),
  ...[30, 31, 32, 33, 34].map((type) => of(type, point)),
  of(34, number, number, number),
);

const algorithm = text(
  'ssh-ed25519',
  'rsa-sha2-256',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ssh-ed25519-cert-v01@openssh.com',
);
const blob = fc.oneof(joined(algorithm, point).map(string), joined(algorithm, data, data, data).map(string), data);
const signature = fc.oneof(joined(algorithm, data).map(string), data);

const service = fc.oneof(
  { weight: 12, arbitrary: fc.constant(string('ssh-connection')) },
  { weight: 1, arbitrary: text('ssh-userauth', 'none') },
);

const logInRequest: Fields = joined(
  fc.constant(Buffer.from([MESSAGE.USERAUTH_REQUEST])),
  text('git', 'root', 'mallory'),
  service,
  oneOf({
    none: [],
    password: [flag, data],
    'keyboard-interactive': [data, data],
    hostbased: [algorithm, blob, data, data, signature],
    publickey: [fc.constant(boolean(false)), algorithm, blob],
  }),
);
const proof: Fields = joined(
  fc.constant(message(MESSAGE.USERAUTH_REQUEST, string('git'), string('ssh-connection'), string('publickey'))),
  ...[flag, algorithm, blob, signature],
);
/** What only servers say, or methods that this one does not have. */
const logInAnswer: Fields = fc.oneof(...[51, 52, 53, 60, 61, 63, 64, 65, 66].map((type) => of(type, data, data)));
const logInMessage: Fields = fc.oneof(
  { weight: 8, arbitrary: logInRequest },
  { weight: 8, arbitrary: proof },
  { weight: 1, arbitrary: logInAnswer },
);

const transportMessage: Fields = fc.oneof(
  { weight: 4, arbitrary: of(MESSAGE.IGNORE, data) },
  { weight: 4, arbitrary: of(MESSAGE.UNIMPLEMENTED, number) },
  { weight: 4, arbitrary: of(MESSAGE.DEBUG, flag, data, data) },
  { weight: 4, arbitrary: of(MESSAGE.SERVICE_REQUEST, text('ssh-userauth', 'ssh-connection')) },
  { weight: 1, arbitrary: of(MESSAGE.SERVICE_ACCEPT, text('ssh-userauth')) },
  { weight: 4, arbitrary: of(MESSAGE.EXT_INFO, number, text('server-sig-algs'), data) },
  { weight: 1, arbitrary: of(MESSAGE.DISCONNECT, number, data, data) },
);

const port = number;
const address = text('127.0.0.1', 'localhost', '::');
const globalRequest: Fields = fc
  .tuple(
    fc.constantFrom(true, false),
    fc.constantFrom('keepalive@openssh.com', 'tcpip-forward', 'cancel-tcpip-forward', 'no-more-sessions@openssh.com'),
    joined(address, port),
  )
  .map(([wantsReply, name, more]) => message(MESSAGE.GLOBAL_REQUEST, string(name), boolean(wantsReply), more));

const TERMINAL_MODES = fc.oneof(fc.constant(string(Buffer.from([1, 0, 0, 0, 3, 0]))), data);
const REQUESTS: Readonly<Record<string, readonly Fields[]>> = {
  exec: [text('run', 'pour', "git-upload-pack 'app.git'")],
  shell: [],
  env: [text('GIT_PROTOCOL', 'LD_PRELOAD'), text('version=2', 'version=99')],
  'pty-req': [text('xterm'), number, number, number, number, TERMINAL_MODES],
  subsystem: [text('sftp')],
  signal: [text('TERM', 'KILL', 'INT')],
  'window-change': [number, number, number, number],
  'x11-req': [flag, data, data, number],
  'auth-agent-req@openssh.com': [],
  'exit-status': [number],
  'exit-signal': [text('TERM'), flag, data, data],
  'eow@openssh.com': [],
};
const channelRequests: Fields = fc.oneof(
  ...Object.entries(REQUESTS).map(([type, fields]) =>
    of(MESSAGE.CHANNEL_REQUEST, channel, fc.constant(string(type)), flag, ...fields),
  ),
  of(MESSAGE.CHANNEL_REQUEST, channel, data, flag, data),
);

const size = fc.oneof(edge, fc.constantFrom(255, 256, 257, 32_768)).map(uint32);
const channelOpen: Fields = fc.oneof(
  { weight: 3, arbitrary: of(MESSAGE.CHANNEL_OPEN, fc.constant(string('session')), channel, number, size) },
  {
    weight: 1,
    arbitrary: of(
      MESSAGE.CHANNEL_OPEN,
      text('direct-tcpip', 'forwarded-tcpip', 'x11', 'auth-agent@openssh.com', 'direct-streamlocal@openssh.com'),
      ...[channel, number, size, address, port, address, port],
    ),
  },
);

export const connectionMessage: Fields = fc.oneof(
  globalRequest,
  channelOpen,
  channelRequests,
  of(MESSAGE.GLOBAL_REQUEST, data, flag, data),
  of(MESSAGE.CHANNEL_OPEN_CONFIRMATION, channel, number, number, number),
  of(MESSAGE.CHANNEL_OPEN_FAILURE, channel, number, data, data),
  of(MESSAGE.CHANNEL_WINDOW_ADJUST, channel, number),
  of(MESSAGE.CHANNEL_DATA, channel, data),
  of(MESSAGE.CHANNEL_EXTENDED_DATA, channel, number, data),
  ...[81, 82, 96, 97, 99, 100].map((type) => of(type, channel)),
);

const ofAnyNumber: Fields = fc
  .tuple(fc.integer({ min: 0, max: 255 }), fc.oneof(joined(channel, data, flag), bytes(60)))
  .map(([type, content]) => message(type, content));

const mixed = (weights: { readonly exchange: number; readonly logIn: number; readonly connection: number }): Fields =>
  nearly(
    fc.oneof(
      { weight: weights.exchange, arbitrary: keyExchangeMessage },
      { weight: weights.logIn, arbitrary: logInMessage },
      { weight: weights.connection, arbitrary: connectionMessage },
      { weight: 2, arbitrary: transportMessage },
      { weight: 1, arbitrary: ofAnyNumber },
    ),
  );

/** Every kind of message in every state, those most that have a place in it: only they get any further. */
export const messageWithinKeyExchange = mixed({ exchange: 8, logIn: 1, connection: 1 });
export const messageBeforeLogin = mixed({ exchange: 1, logIn: 24, connection: 1 });
export const messageAfterLogin = mixed({ exchange: 1, logIn: 1, connection: 24 });

const line = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('SSH-2.0-x\r\n', 'SSH-1.99-x y\n', 'SSH-2.0-\r\n', 'SSH-1.5-x\n', '\r\n') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\0', `SSH-2.0-${'x'.repeat(300)}\r\n`),
  },
  { weight: 1, arbitrary: fc.nat(260).map((length) => `SSH-2.0-${'x'.repeat(length)}`) },
);

/** What somebody sends who may never have heard of SSH. */
export const firstBytes: Fields = fc.oneof(
  line.map((said) => Buffer.from(said, 'latin1')),
  bytes(80),
  fc.tuple(number, bytes(40)).map((parts) => Buffer.concat(parts)),
);
