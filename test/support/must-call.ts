/** Event code is tested by what must happen and what must not: both fail the test that asked, with the place it asked. */
import { guard } from './guard.js';

/** A function that must have been called exactly `times` times when the test and its hooks have ended. */
export function mustCall<A extends unknown[], R = void>(
  listener?: (...given: A) => R,
  times = 1,
): (...given: A) => R | undefined {
  const asked = new Error(`mustCall: expected ${times} call(s)`);
  let calls = 0;
  guard().promises.add({ broken: () => (calls === times ? undefined : saying(asked, `, got ${calls}`)) });
  return (...given) => {
    calls += 1;
    return listener?.(...given);
  };
}

/** A function that must not be called while the test and its hooks run. */
export function mustNotCall(reason = 'called'): (...given: unknown[]) => void {
  const asked = new Error('mustNotCall');
  let called: Error | undefined;
  guard().promises.add({ broken: () => called });
  return (...given) => {
    called ??= saying(asked, `: ${reason}, with ${given.length} argument(s)`);
  };
}

function saying(asked: Error, more: string): Error {
  asked.stack = asked.stack?.replace(asked.message, `${asked.message}${more}`) ?? '';
  asked.message += more;
  return asked;
}
