import type { Stage } from '../../domain/fault.js';
import { Trouble } from './trouble.js';

/**
 * Does work with a peer in one stage of a session.
 * @param whose who is to blame, as a fault's message names it.
 * @throws the signal's reason when it has aborted; else a Fault of the stage for what went wrong with the peer.
 */
export async function inStage<T>(stage: Stage, whose: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof Trouble ? error.toFault(stage, whose) : error;
  }
}
