/** The header of the PROXY protocol, by the examples and the rules of its specification. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { headerBegins, readHeader } from '../../../../src/adapters/ssh2/proxy-protocol/header.js';
import type { Endpoint } from '../../../../src/domain/proxy-rules.js';
import { LOCAL, SIGNATURE, v1, v2, v2Of } from '../../../support/proxy-header.js';

const SSH = Buffer.from('SSH-2.0-OpenSSH_9.2\r\n');
/** As many bytes as the addresses of UNIX sockets are. */
const UNIX = Buffer.alloc(216, 'x');

const v4 = (address: string, port: number): Endpoint => ({ address, port });

/** What is read of it is the same however much has come behind it, and nothing before it is whole. */
function expectHeader(header: Buffer, source: Endpoint | undefined): void {
  const reading = { kind: 'header', bytesUsed: header.length, ...(source === undefined ? {} : { source }) };
  for (let length = 0; length < header.length; length++)
    expect([length, readHeader(header.subarray(0, length))]).toEqual([length, { kind: 'more' }]);
  expect(readHeader(header)).toEqual(reading);
  expect(readHeader(Buffer.concat([header, SSH]))).toEqual(reading);
  expect(readHeader(Buffer.concat([header, header]))).toEqual(reading);
}

describe('version 1', () => {
  test.each([
    // The specification's own example.
    ['PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n', v4('192.168.0.1', 56324)],
    ['PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n', v4('255.255.255.255', 65535)],
    ['PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n', v4('192.0.2.1', 0)],
    ['PROXY TCP6 2001:DB8::1 2001:db8::2 50022 22\r\n', v4('2001:db8::1', 50022)],
    [
      `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`,
      v4(`${'ffff:'.repeat(7)}ffff`, 65535),
    ],
    ['PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 ::1 1 22\r\n', v4('2001:db8::1', 1)],
    ['PROXY TCP6 ::ffff:192.0.2.1 ::1 1 22\r\n', v4('192.0.2.1', 1)],
    ['PROXY TCP6 ::FFFF:C000:201 ::1 1 22\r\n', v4('192.0.2.1', 1)],
    ['PROXY UNKNOWN\r\n', undefined],
    ['PROXY UNKNOWN 192.168.0.1 192.168.0.11 56324 443\r\n', undefined],
    [`PROXY UNKNOWN ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`, undefined],
    ['PROXY UNKNOWN \x00\x1b[2J\r\n', undefined],
  ])('%j, byte by byte, is of %j', (line, source) => {
    expectHeader(Buffer.from(line, 'latin1'), source);
  });

  test.each([
    'PROXY \r\n',
    'PROXY  TCP4 192.0.2.1 192.0.2.2 1 22\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 22\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 22\r\r\n',
    'PROXY TCP4 192.0.2.1\r192.0.2.2 1 22\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 22 \r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 22 33\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 65536 22\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 01 22\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 -1 22\r\n',
    'PROXY TCP4 192.0.2.01 192.0.2.2 1 22\r\n',
    'PROXY TCP4 192.0.2.256 192.0.2.2 1 22\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2 1 22\r\n',
    'PROXY TCP4 2001:db8::1 192.0.2.2 1 22\r\n',
    'PROXY TCP4 192.0.2.1 2001:db8::1 1 22\r\n',
    'PROXY TCP6 192.0.2.1 192.0.2.2 1 22\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 22\r\n',
    'PROXY TCP6 1::2::3 ::1 1 22\r\n',
    'PROXY TCP4 localhost localhost 1 22\r\n',
    'PROXY UDP4 192.0.2.1 192.0.2.2 1 22\r\n',
    'PROXY TCP 192.0.2.1 192.0.2.2 1 22\r\n',
    'PROXY tcp4 192.0.2.1 192.0.2.2 1 22\r\n',
    'PROXY UNKNOWNS\r\n',
    'PROXY UNKNOWN\n',
    'PROXY UNKNOWN a\rb\r\n',
    // 108 bytes, and none of the first 107 ends the line.
    `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`,
    `PROXY ${'x'.repeat(101)}`,
  ])('%j is none', (line) => {
    expect(readHeader(Buffer.from(line, 'latin1'))).toEqual({ kind: 'bad' });
  });

  test('is given up at its 107th byte, and not before', () => {
    expect(readHeader(Buffer.from('PROXY '.padEnd(106, 'x')))).toEqual({ kind: 'more' });
    expect(readHeader(Buffer.from('PROXY '.padEnd(107, 'x')))).toEqual({ kind: 'bad' });
    expectHeader(Buffer.from(`${'PROXY UNKNOWN '.padEnd(105, 'x')}\r\n`), undefined);
  });
});

describe('version 2', () => {
  const additions = Buffer.from('04000378797a2000080000000000', 'hex');

  test.each([
    ['of IPv4', v2(v4('192.168.0.1', 56324)), v4('192.168.0.1', 56324)],
    ['of IPv6', v2(v4('2001:db8::1', 50022)), v4('2001:db8::1', 50022)],
    [
      'of an IPv4 address in IPv6',
      v2Of(0x21, 0x21, Buffer.concat([mapped(), mapped(), port(7, 22)])),
      v4('192.0.2.1', 7),
    ],
    ['with additions', v2(v4('203.0.113.9', 65535), additions), v4('203.0.113.9', 65535)],
    ['with additions that are none', v2(v4('203.0.113.9', 0), Buffer.from('ffff')), v4('203.0.113.9', 0)],
    ['as long as may be', v2(v4('192.0.2.1', 1), Buffer.alloc(4096 - 16 - 12)), v4('192.0.2.1', 1)],
    ["of the proxy's own", LOCAL, undefined],
    ["of the proxy's own, with addresses", v2Of(0x20, 0x11, Buffer.alloc(12, 7)), undefined],
    ["of the proxy's own, with a family that is none", v2Of(0x20, 0xff, Buffer.alloc(3)), undefined],
    ['of nobody knows whom', v2Of(0x21, 0x00), undefined],
    ['of nobody knows whom, with a block', v2Of(0x21, 0x00, UNIX), undefined],
    ['of an unknown transport', v2Of(0x21, 0x10, Buffer.alloc(12, 7)), undefined],
    ['of datagrams', v2Of(0x21, 0x12, Buffer.alloc(12, 7)), undefined],
    ['of datagrams over IPv6', v2Of(0x21, 0x22, Buffer.alloc(36, 7)), undefined],
    ['of a UNIX socket', v2Of(0x21, 0x31, UNIX), undefined],
    ['of a UNIX socket of datagrams', v2Of(0x21, 0x32, UNIX), undefined],
  ])('%s, byte by byte', (_, header, source) => {
    expectHeader(header, source);
  });

  test.each([
    ['another version', v2Of(0x11, 0x11, Buffer.alloc(12))],
    ['no version', v2Of(0x01, 0x11, Buffer.alloc(12))],
    ['a command that is none', v2Of(0x22, 0x11, Buffer.alloc(12))],
    ['a family that is none', v2Of(0x21, 0x41, Buffer.alloc(12))],
    ['a transport that is none', v2Of(0x21, 0x13, Buffer.alloc(12))],
    ['less than two IPv4 addresses', v2Of(0x21, 0x11, Buffer.alloc(11))],
    ['less than two IPv6 addresses', v2Of(0x21, 0x21, Buffer.alloc(35))],
    ['no addresses', v2Of(0x21, 0x11)],
    ['too much', v2Of(0x21, 0x11, Buffer.alloc(4096 - 16 + 1))],
    [
      'a length of which not all has come, and that is too much',
      v2Of(0x21, 0x11, Buffer.alloc(0xffff)).subarray(0, 16),
    ],
    ['a version that is none, as soon as it is there', Buffer.concat([SIGNATURE, Buffer.from([0x31])])],
  ])('with %s is none', (_, header) => {
    expect(readHeader(header)).toEqual({ kind: 'bad' });
  });
});

function mapped(): Buffer {
  return Buffer.from('00000000000000000000ffffc0000201', 'hex');
}

function port(...ports: readonly number[]): Buffer {
  return Buffer.from(ports.flatMap((one) => [one >> 8, one & 255]));
}

test.each([
  'SSH-2.0-OpenSSH_9.2\r\n',
  'S',
  'PROXX',
  'PROXY\r\n',
  'PROXYTCP4 ',
  'proxy ',
  '\n',
  '\r\n\r\nx',
  'GET / HTTP/1.1',
])('%j begins no header', (text) => {
  expect(readHeader(Buffer.from(text))).toEqual({ kind: 'none' });
  expect(headerBegins(Buffer.from(text))).toBe('no');
});

test('whatever comes is read without a mishap, once it is decided for good, and never beyond its end', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const end = fc.record({ address, port: fc.integer({ min: 0, max: 65_535 }) });
  const good = fc.oneof(
    end.map(v1),
    end.map((one) => v2(one)),
  );
  const beginning = fc.constantFrom(Buffer.alloc(0), Buffer.from('PROXY TCP4 '), SIGNATURE);
  const noise = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes));
  const tampered = fc.tuple(good, fc.nat(), fc.nat({ max: 255 })).map(([header, at, byte]) => {
    const changed = Buffer.from(header);
    changed[at % changed.length] = byte;
    return changed;
  });
  const made = fc.tuple(beginning, noise).map((parts) => Buffer.concat(parts));
  fc.assert(
    fc.property(fc.oneof(made, good, tampered), noise, (bytes, more) => {
      const reading = readHeader(bytes);
      if (reading.kind === 'header') {
        expect(reading.bytesUsed).toBeLessThanOrEqual(bytes.length);
        // A byte less is not enough.
        expect(readHeader(bytes.subarray(0, reading.bytesUsed - 1)).kind).toBe('more');
      }
      if (reading.kind !== 'more') expect(readHeader(Buffer.concat([bytes, more]))).toEqual(reading);
    }),
    { numRuns: 2_000 },
  );
});

test('any end of a connection is read as it was written', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 0, max: 65_535 }), (address, number) => {
      const source = { address, port: number };
      expect(readHeader(v1(source))).toMatchObject({ kind: 'header', source });
      expect(readHeader(v2(source))).toMatchObject({ kind: 'header', source });
    }),
  );
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      fc.pre(!address.includes('.'));
      const [one, two] = [v1, v2].map((make) => readHeader(make({ address, port: 1 })));
      expect(one).toMatchObject({ kind: 'header', source: { port: 1 } });
      expect(two).toMatchObject({ source: (one as { source: Endpoint }).source });
    }),
  );
});
