import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isLoopback, plainAddress, sourceOf } from '../../src/domain/address.js';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['::1', '::1'],
  ['2001:db8::ffff:192.0.2.1', '2001:db8::ffff:192.0.2.1'],
])('the plain form of %s is %s', (address, plain) => {
  expect(plainAddress(address)).toBe(plain);
});

test.each([
  ['127.0.0.1', true],
  ['127.255.0.9', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['LocalHost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['192.0.2.1', false],
  ['127.example.com', false],
  ['localhost.example.com', false],
])('that only this machine can reach %s is %s', (host, is) => {
  expect(isLoopback(host)).toBe(is);
});

describe('the source of', () => {
  test.each([
    ['an IPv4 address is that address', '192.0.2.1', '192.0.2.1'],
    ['one that is mapped, too', '::ffff:192.0.2.1', '192.0.2.1'],
    ['one that is mapped, in upper case', '::FFFF:192.0.2.1', '192.0.2.1'],
    ['one that is mapped, in hexadecimal', '::ffff:c000:201', '192.0.2.1'],
    ['one that is mapped, in full', '0:0:0:0:0:ffff:c000:0201', '192.0.2.1'],
    ['one that is mapped, with a zone', '::ffff:192.0.2.1%eth0', '192.0.2.1'],
    ['an IPv6 address in full is its /64', '2001:0db8:0001:0002:0003:0004:0005:0006', '2001:db8:1:2::/64'],
    ['one that is compressed after the network', '2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['one that is compressed within the network', '2001:db8::2:3:4:5:6', '2001:db8:0:2::/64'],
    ['one that is compressed in front', '::2:3:4:5:6:7', '0:0:2:3::/64'],
    ['one that is compressed behind', '2001:db8:1:2:3:4:5::', '2001:db8:1:2::/64'],
    ['one whose network ends in zeros', '2001:db8::1', '2001:db8::/64'],
    ['one with letters in upper case', '2001:DB8:A:B::C', '2001:db8:a:b::/64'],
    ['one with a zone', 'fe80::1%eth0', 'fe80::/64'],
    ['the machine itself', '::1', '::/64'],
    ['nobody', '::', '::/64'],
    ['one that ends as an IPv4 address', '64:ff9b:1:2::192.0.2.1', '64:ff9b:1:2::/64'],
    ['one that ends so, compressed within the network', '2001:db8::d:e:f:192.0.2.1', '2001:db8:0:d::/64'],
  ])('%s: %s', (_, address, source) => {
    expect(sourceOf(address)).toBe(source);
  });

  test.each([
    '',
    'localhost',
    ':',
    ':::',
    '1::2::3',
    '1:2:3',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '::g',
    '::12345',
  ])('what is no address, %j, is that itself', (text) => {
    expect(sourceOf(text)).toBe(text);
  });

  const group = fc.integer({ min: 0, max: 0xffff });
  const half = fc.tuple(group, group, group, group);
  const spelling = fc.record({
    inFull: fc.boolean(),
    isUpper: fc.boolean(),
    isCompressed: fc.boolean(),
    zone: fc.constantFrom('', '%eth0', '%1'),
  });
  type Spelling = typeof spelling extends fc.Arbitrary<infer S> ? S : never;

  function spelled(groups: readonly number[], { inFull, isUpper, isCompressed, zone }: Spelling): string {
    const text = groups.map((value) => value.toString(16).padStart(inFull ? 4 : 1, '0')).join(':');
    const short = isCompressed ? text.replace(/(?:^|:)0+(?::0+)*(?:$|:)/, '::') : text;
    return (isUpper ? short.toUpperCase() : short) + zone;
  }

  test('two addresses of one /64, however they are spelled, is the same', () => {
    fc.assert(
      fc.property(half, half, half, spelling, spelling, (network, one, other, how, andHow) => {
        fc.pre(network.some((value) => value !== 0));
        expect(sourceOf(spelled([...network, ...one], how))).toBe(sourceOf(spelled([...network, ...other], andHow)));
      }),
    );
  });

  test('two addresses of different networks is different', () => {
    fc.assert(
      fc.property(half, half, half, (network, other, host) => {
        fc.pre(network.join() !== other.join());
        expect(sourceOf(spelled([...network, ...host], plainly))).not.toBe(
          sourceOf(spelled([...other, ...host], plainly)),
        );
      }),
    );
  });

  test('any IPv6 address is that of its usual spelling', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const usual = new URL(`ssh://[${address}]/`).hostname.slice(1, -1);
        expect(sourceOf(address)).toBe(sourceOf(usual));
      }),
    );
  });

  const plainly: Spelling = { inFull: false, isUpper: false, isCompressed: false, zone: '' };
});
