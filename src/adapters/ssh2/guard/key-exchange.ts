import type { AdmissionLimits } from '../../../domain/admission-policy.js';
import type { Clock } from '../../../ports/clock.js';
import type { Wire } from '../internals.js';
import { MESSAGE } from '../messages.js';
import type { TurnAway } from './turn-away.js';

/** A key exchange costs about as much processor time as the traffic of this size: whoever pays that may have one. */
const TRAFFIC_WORTH_NEW_KEYS_BYTES = 1024 ** 2;

const MINUTE_MS = 60_000;

/**
 * Key exchanges: ended in time, begun by ourselves when keys are old (RFC 4253 9), and not at every whim of a client.
 * ssh2 never begins one, waits for ever for the end of one, and takes any number.
 */
export function guardKeyExchange(
  wire: Wire,
  limits: Pick<AdmissionLimits, 'keyExchangeMs' | 'rekeyBytes' | 'rekeyMs' | 'rekeysPerMinute'>,
  clock: Pick<Clock, 'now'>,
  turnAway: TurnAway,
): void {
  const allowance = new Allowance(limits.rekeysPerMinute, clock);
  let traffic = 0;
  let deadline: NodeJS.Timeout | undefined;
  let aging: NodeJS.Timeout | undefined;
  let isDue = false;

  const begin = () => {
    clearTimeout(deadline);
    deadline = setTimeout(() => {
      turnAway('key-exchange-timeout');
    }, limits.keyExchangeMs);
  };
  const renewKeys = () => {
    isDue = false;
    if (wire.isExchangingKeys || wire.socket.destroyed) return;
    begin();
    wire.rekey();
  };
  const count = (bytes: number) => {
    traffic += bytes;
    if (isDue || traffic < limits.rekeyBytes || !wire.isAuthenticated || wire.isExchangingKeys) return;
    isDue = true;
    // Not in the middle of the packet that is being sent.
    process.nextTick(renewKeys);
  };

  wire.onSent(count);
  wire.onMessage((type, payload) => {
    count(payload.length);
    // While one is under way, it is the answer to ours.
    if (type !== MESSAGE.KEXINIT || wire.isExchangingKeys) return true;
    if (traffic < TRAFFIC_WORTH_NEW_KEYS_BYTES && !allowance.take()) {
      turnAway('too-many-key-exchanges');
      return false;
    }
    begin();
    return true;
  });
  wire.onKeyExchanged(() => {
    traffic = 0;
    clearTimeout(deadline);
    clearTimeout(aging);
    aging = setTimeout(renewKeys, limits.rekeyMs).unref();
  });
  wire.socket.once('close', () => {
    clearTimeout(deadline);
    clearTimeout(aging);
  });
  begin();
}

/** So many a minute, all at once or one by one. */
class Allowance {
  readonly #perMinute: number;
  readonly #clock: Pick<Clock, 'now'>;
  #left: number;
  #since: number;

  constructor(perMinute: number, clock: Pick<Clock, 'now'>) {
    this.#perMinute = perMinute;
    this.#clock = clock;
    this.#left = perMinute;
    this.#since = clock.now();
  }

  take(): boolean {
    const now = this.#clock.now();
    const gained = ((now - this.#since) / MINUTE_MS) * this.#perMinute;
    this.#left = Math.min(this.#perMinute, this.#left + Math.max(0, gained));
    this.#since = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
