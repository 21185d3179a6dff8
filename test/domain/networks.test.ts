import { BlockList, isIP } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { hasHostBits, isWithin, parseNetwork, type Network } from '../../src/domain/networks.js';

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (parsed === undefined) throw new Error(`${text} is no network`);
  return parsed;
}

describe('within', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['192.0.2.0/24', '192.0.2.255', true],
    ['192.0.2.0/24', '192.0.3.0', false],
    ['192.0.2.77/24', '192.0.2.1', true],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['192.0.2.0/24', '::ffff:192.0.2.9', true],
    ['::ffff:192.0.2.0/120', '192.0.2.9', true],
    ['::ffff:192.0.2.0/120', '192.0.3.9', false],
    ['2001:db8::/32', '2001:DB8:ffff:0::1', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['2001:db8::8/125', '2001:db8::f', true],
    ['2001:db8::8/125', '2001:db8::10', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '192.0.2.1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['64:ff9b::192.0.2.0/120', '64:ff9b::c000:2ff', true],
    ['0.0.0.0/0', 'nonsense', false],
    ['0.0.0.0/0', '', false],
    ['0.0.0.0/0', '192.0.2.0/24', false],
  ])('%s, %s: %s', (text, address, is) => {
    expect(isWithin(address, [network(text)])).toBe(is);
  });

  test('one of several is enough, and none is none', () => {
    expect(isWithin('192.0.2.1', [network('2001:db8::/32'), network('192.0.2.0/30')])).toBe(true);
    expect(isWithin('192.0.2.1', [])).toBe(false);
  });

  test('any network is exactly what Node finds in it', () => {
    const v4 = fc.tuple(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.constant('ipv4' as const));
    const v6 = fc.tuple(fc.ipV6(), fc.ipV6(), fc.integer({ min: 0, max: 128 }), fc.constant('ipv6' as const));
    fc.assert(
      fc.property(fc.oneof(v4, v6), ([base, other, bits, family]) => {
        fc.pre(isIP(base) !== 0 && isIP(other) !== 0);
        const blocked = new BlockList();
        blocked.addSubnet(base, bits, family);
        for (const address of [base, other])
          expect(isWithin(address, [network(`${base}/${bits}`)])).toBe(blocked.check(address, family));
      }),
    );
  });
});

test('bits behind the prefix are seen', () => {
  for (const text of ['192.0.2.0/24', '192.0.2.7', '::/0', '2001:db8::/32', '::ffff:192.0.2.0/120'])
    expect([text, hasHostBits(network(text))]).toEqual([text, false]);
  for (const text of ['192.0.2.1/24', '0.0.0.1/0', '2001:db8::1/127', '::ffff:192.0.2.1/120'])
    expect([text, hasHostBits(network(text))]).toEqual([text, true]);
});

test.each([
  '',
  '/',
  '/24',
  'localhost',
  'example.com/24',
  '192.0.2',
  '192.0.2.0.1',
  '192.0.2.256',
  '192.0.2.01',
  '192.0.2.0/',
  '192.0.2.0/33',
  '192.0.2.0/-1',
  '192.0.2.0/2 4',
  '192.0.2.0/24/8',
  ' 192.0.2.0/24',
  '192.0.2.0/255.255.255.0',
  '2001:db8::/129',
  '2001:db8::/0x20',
  '1::2::3',
  '::192.0.2.256',
  '::192.0.2.01',
  '::1.2.3',
  '[::1]',
  'fe80::1%eth0',
])('%j is no network', (text) => {
  expect(parseNetwork(text)).toBeUndefined();
});

test('an address is one exactly where Node sees one', () => {
  const pieces = fc.constantFrom('0', '1', '25', '255', '256', 'ffff', 'g', '.', ':', '::', '1.2.3.4', '::ffff:');
  const made = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), made), (text) => {
      fc.pre(!/[%/]/.test(text));
      expect(parseNetwork(text) !== undefined).toBe(isIP(text) !== 0);
    }),
    { numRuns: 1_000 },
  );
});
