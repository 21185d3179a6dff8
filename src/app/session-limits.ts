/** The limits that hold while a request is served, on the clock. Each function returns how to stop it. */
import { phaseTimeout } from '../domain/fault.js';
import {
  FLOW_BEGIN,
  lookEveryMs,
  nextFlow,
  type FlowLimits,
  type FlowLook,
  type FlowStep,
} from '../domain/flow-policy.js';
import { speaksFirst } from '../domain/git-request.js';
import { Departure } from '../domain/session-end.js';
import { silentWords } from '../domain/words/progress.js';
import type { Clock } from '../ports/clock.js';
import type { DynoSession } from '../ports/transport.js';
import type { Run } from './run.js';

/** Ends the session after so long; never, where there is no limit (undefined or 0). */
export function endAfter(limitMs: number | undefined, clock: Clock, control: AbortController): () => void {
  if (limitMs === undefined || limitMs === 0) return () => undefined;
  return after(limitMs, clock, () => {
    control.abort(new Departure('time-limit'));
  });
}

/** Ends the session when git, whose turn it is to speak, has not said a byte and has not ended. */
export function awaitFirstByte(run: Run, opened: DynoSession, limitMs: number, clock: Clock): () => void {
  const { session, record, control } = run;
  if (limitMs === 0 || !speaksFirst(session.request.service)) return () => undefined;
  let hasEnded = false;
  const end = () => {
    hasEnded = true;
  };
  opened.exit.then(end, end);
  return after(limitMs, clock, () => {
    if (!hasEnded && record.traffic.bytesOut === 0) control.abort(phaseTimeout('start', limitMs));
  });
}

/** Holds the dyno of a client that does not read, ends it in the end, and tells those who hear nothing that it runs. */
export function watchFlow(run: Run, opened: DynoSession, limits: FlowLimits, clock: Clock): () => void {
  const { channel, control } = run;
  const everyMs = lookEveryMs(limits);
  if (everyMs === undefined) return () => undefined;
  const over = new AbortController();
  const watch = async (): Promise<void> => {
    for (let flow = FLOW_BEGIN; ;) {
      await clock.sleep(everyMs, over.signal);
      const [next, steps] = nextFlow(flow, lookAt(run), everyMs, limits);
      flow = next;
      for (const step of steps) act(step);
    }
  };
  const act = (step: FlowStep): void => {
    switch (step.kind) {
      case 'pause':
        opened.pause();
        break;
      case 'resume':
        opened.resume();
        break;
      case 'end':
        control.abort(new Departure('stalled'));
        break;
      case 'tell':
        channel.stderr.write(silentWords(step.silentMs));
    }
  };
  watch().catch((error: unknown) => {
    if (!over.signal.aborted) control.abort(error);
  });
  return () => {
    over.abort();
  };
}

function lookAt({ channel, record }: Run): FlowLook {
  const { bytesIn, bytesOut } = record.traffic;
  const waiting = channel.stdout.writableLength + channel.stderr.writableLength;
  return { passed: bytesIn + bytesOut, waiting, taken: bytesOut - waiting };
}

function after(ms: number, clock: Clock, then: () => void): () => void {
  const over = new AbortController();
  clock.sleep(ms, over.signal).then(then, () => undefined);
  return () => {
    over.abort();
  };
}
