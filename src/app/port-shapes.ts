/** What each port's adapter must have, by name: checked when it is bound, where the compiler may not have looked. */
import type { ServiceIdentifier } from 'inversify';
import type { tokens } from './tokens.js';

export type PortName = keyof typeof tokens;

type PortOf<N extends PortName> = (typeof tokens)[N] extends ServiceIdentifier<infer P> ? P : never;

type Kind<T> = T extends (...args: never[]) => unknown ? 'function' : T extends string ? 'string' : 'object';

/** Every member of every port, with what it is; the compiler sees that none is missing or made up. */
const SHAPES: { readonly [N in PortName]: { readonly [M in keyof PortOf<N>]-?: Kind<PortOf<N>[M]> } } = {
  authenticator: { identify: 'function', identifyCertified: 'function' },
  accessControl: { authorize: 'function', list: 'function' },
  locks: { acquire: 'function', held: 'function', free: 'function' },
  provisioner: { provision: 'function', release: 'function' },
  transport: { kind: 'string', capabilities: 'object', open: 'function' },
  connections: { add: 'function', list: 'function' },
  registry: { report: 'function', list: 'function', end: 'function', close: 'function' },
  observer: { record: 'function' },
  clock: { now: 'function', monotonic: 'function', sleep: 'function' },
  throttle: { enter: 'function', count: 'function' },
  penalties: { add: 'function', of: 'function', list: 'function', clear: 'function' },
  rateLimiter: { spend: 'function' },
  lifecycle: { prepare: 'function', finish: 'function', close: 'function' },
};

/** What a value lacks to be an adapter of the port: `identify()` for a method, `kind` for a property. */
export function lackingOf(port: PortName, value: unknown): readonly string[] {
  return Object.entries(SHAPES[port])
    .filter(([member, kind]) => kindOf(value, member) !== kind)
    .map(([member, kind]) => (kind === 'function' ? `${member}()` : member));
}

function kindOf(value: unknown, member: string): string {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return 'nothing';
  const found: unknown = Reflect.get(value, member);
  return found === null ? 'nothing' : typeof found;
}
