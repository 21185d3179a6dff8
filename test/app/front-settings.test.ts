/** What stands in front of the server, and where it listens. */
import { describe, expect, test } from '@jest/globals';
import { ConfigError, readConfig } from '../../src/app/config.js';
import { isIpv6Only, isReachableFromElsewhere, listenAddresses } from '../../src/app/listen-addresses.js';
import { isListedProxy } from '../../src/domain/proxy-rules.js';

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig({}, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('proxies', () => {
  test('are none unless they are listed', () => {
    expect(readConfig({}, {}).proxies).toEqual({ from: [], headerMs: 5_000 });
  });

  test('are those of the list', () => {
    const settings = { GITMOUTH_PROXY_FROM: '10.0.0.0/24, 2001:db8::1', GITMOUTH_PROXY_HEADER_SECONDS: '2' };
    const { proxies } = readConfig({}, settings);
    expect(proxies.headerMs).toBe(2_000);
    const addresses = ['10.0.0.7', '10.0.1.7', '2001:db8::1', '2001:db8::2'];
    expect(addresses.filter((address) => isListedProxy(address, proxies))).toEqual(['10.0.0.7', '2001:db8::1']);
  });

  test.each([
    ['balancer.internal', 'balancer.internal'],
    ['10.0.0.1,', ''],
    ['10.0.0.1;10.0.0.2', '10.0.0.1;10.0.0.2'],
    // Everybody.
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['10.0.0.1,::/0', '::/0'],
    // One proxy was meant, and 255 neighbours would be believed.
    ['10.0.0.7/24', '10.0.0.7/24'],
  ])('listed as %s are refused', (text, wrong) => {
    const [problem, ...more] = problemsOf({ GITMOUTH_PROXY_FROM: text });
    expect(more).toEqual([]);
    expect(problem).toMatch(/^GITMOUTH_PROXY_FROM must be the addresses and networks of your proxies/);
    expect(problem).toContain(`'${wrong}' is none`);
  });
});

test.each([
  ['127.0.0.1:22,127.0.0.1:22', '127.0.0.1:22'],
  ['[::1]:22,127.0.0.1:22,[0:0::1]:22', '[0:0::1]:22'],
  ['git.example.com:22,GIT.example.com:22', 'GIT.example.com:22'],
])('to listen twice on one address, %s, is refused', (text, twice) => {
  expect(problemsOf({ GITMOUTH_LISTEN: text })).toEqual([
    `GITMOUTH_LISTEN must have each address once; ${twice} is there twice; it is '${text}'`,
  ]);
});

test.each([
  ['[::]:22', '[::]:22', false],
  ['[::]:22', '[::]:22,0.0.0.0:22', true],
  ['[::]:22', '127.0.0.1:22,[::]:22', true],
  ['[::]:22', '[::]:22,0.0.0.0:443', false],
  ['[::]:0', '[::]:0,0.0.0.0:0', false],
  ['0.0.0.0:22', '[::]:22,0.0.0.0:22', false],
  ['[::ffff:192.0.2.1]:22', '[::ffff:192.0.2.1]:22,0.0.0.0:22', false],
])('that %s of %s leaves IPv4 to others is %s', (text, list, is) => {
  const [address] = listenAddresses.parse(text);
  expect(address).toBeDefined();
  if (address !== undefined) expect(isIpv6Only(address, listenAddresses.parse(list))).toBe(is);
});

// Where GITMOUTH_SANDBOX=auto may do without a sandbox.
test.each([
  ['127.0.0.1:22', [], false],
  ['127.0.0.1:22,[::1]:22,localhost:443', [], false],
  ['127.0.0.1:22,[::]:443', [], true],
  ['192.0.2.1:22,127.0.0.1:22', [], true],
  ['127.0.0.1:22', ['a proxy'], true],
])('that somebody else reaches %s with the proxies %j is %s', (list, proxies, is) => {
  expect(isReachableFromElsewhere(listenAddresses.parse(list), proxies)).toBe(is);
});
