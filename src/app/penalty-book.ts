import {
  addPenalty,
  addressSubject,
  offenceOfRefusal,
  offencesOfStranger,
  penalisedRefusal,
  shareOfUser,
  subjectsOfCaller,
  subjectText,
  type Offence,
  type Penalty,
  type PenaltyRules,
  type PenaltySubject,
  type StrangersConduct,
} from '../domain/penalty-policy.js';
import type { Refusal } from '../domain/refusal.js';
import type { Caller } from '../domain/session.js';
import type { Clock } from '../ports/clock.js';
import type { Observer } from '../ports/observer.js';
import type { AddedPenalty, Penalties } from '../ports/penalties.js';
import type { RateLimiter } from '../ports/rate-limiter.js';
import type { StrangerWatch } from '../ports/stranger-watch.js';
import { Exemptions } from './exemptions.js';
import { LenientState } from './lenient-state.js';

export interface PenaltyBookParts {
  readonly penalties: Penalties;
  readonly rateLimiter: RateLimiter;
  /** As they are now: they may be read anew while the server runs. */
  readonly rules: () => PenaltyRules;
  readonly observer: Observer;
  readonly clock: Clock;
}

const MINUTE_MS = 60_000;

/** Who has done wrong of late, and what follows from it. Without its state nothing does. */
export class PenaltyBook implements StrangerWatch {
  readonly #parts: PenaltyBookParts;
  readonly #state: LenientState;
  #exempt: { readonly from: readonly string[]; readonly these: Exemptions } | undefined;

  constructor(parts: PenaltyBookParts) {
    this.#parts = parts;
    this.#state = new LenientState(parts.clock, parts.observer);
  }

  async of(address: string): Promise<Penalty | undefined> {
    if (!this.#holds(address)) return undefined;
    return this.#state.ask(() => this.#parts.penalties.of(addressSubject(address)));
  }

  ended(address: string, conduct: StrangersConduct, known: Penalty | undefined): Penalty | undefined {
    const { rules, clock } = this.#parts;
    const offences = offencesOfStranger(conduct);
    const last = offences.at(-1);
    if (last === undefined || !this.#holds(address)) return undefined;
    const ms = offences.reduce((sum, offence) => sum + rules().offencesMs[offence], 0);
    void this.#charge(addressSubject(address), last, ms);
    return addPenalty(known, last, ms, rules(), clock.now());
  }

  /** Whether this caller must wait before they begin anything. */
  async refusalOf(caller: Caller): Promise<Refusal | undefined> {
    if (!this.#holds(caller.connection.address, caller.user.name)) return undefined;
    const { penalties, clock } = this.#parts;
    const subjects = subjectsOfCaller(caller);
    const found = await this.#state.ask(() => Promise.all(subjects.map((subject) => penalties.of(subject))));
    const [ofKey, ofUser] = found ?? [];
    return penalisedRefusal(ofKey, ofUser, clock.now());
  }

  /** The same for a session on an app, which is counted; too many in a minute are an offence of their own. */
  async refusalOfSession(caller: Caller, app: string): Promise<Refusal | undefined> {
    return (await this.refusalOf(caller)) ?? (await this.refusalOfHaste(caller, app));
  }

  /** Counts a session on an app, or one that asks this door itself. */
  async refusalOfHaste(caller: Caller, app: string): Promise<Refusal | undefined> {
    const { rateLimiter, rules } = this.#parts;
    const limit = rules().sessionsPerMinute;
    if (limit === 0 || this.#isExempt(caller.connection.address, caller.user.name)) return undefined;
    const key = `sessions ${caller.user.name} ${app}`;
    const waitMs = await this.#state.ask(() => rateLimiter.spend(key, limit, MINUTE_MS));
    return waitMs === undefined ? undefined : { kind: 'too-fast', app, limit, waitMs };
  }

  /** A caller was refused. Some refusals are held against them. */
  refused(caller: Caller, refusal: Refusal): void {
    const offence = offenceOfRefusal(refusal);
    if (offence === undefined || !this.#holds(caller.connection.address, caller.user.name)) return;
    void this.#chargeCaller(caller, refusal, offence);
  }

  /** The key first: what became of that decides on its user. */
  async #chargeCaller(caller: Caller, refusal: Refusal, offence: Offence): Promise<void> {
    const rules = this.#parts.rules();
    const ms = rules.offencesMs[offence];
    const [key, user] = subjectsOfCaller(caller);
    const ofKey = await this.#charge(key, offence, ms);
    const share = ofKey === undefined ? 0 : shareOfUser(caller.user, refusal, ms, ofKey, rules);
    if (share > 0) await this.#charge(user, offence, share);
  }

  async #charge(subject: PenaltySubject, offence: Offence, ms: number): Promise<AddedPenalty | undefined> {
    const { penalties, rules, observer } = this.#parts;
    const added = await this.#state.ask(() => penalties.add(subject, offence, ms, rules()));
    if (added?.hasBegun === true) {
      observer.record({ type: 'penalty-began', subject: subjectText(subject), offence, until: added.until });
    }
    return added;
  }

  /** Whether anything is held against anybody from there, or against this user. */
  #holds(address: string, user?: string): boolean {
    return this.#parts.rules().isOn && !this.#isExempt(address, user);
  }

  #isExempt(address: string, user?: string): boolean {
    const { exempt } = this.#parts.rules();
    if (this.#exempt?.from !== exempt) this.#exempt = { from: exempt, these: new Exemptions(exempt) };
    const { these } = this.#exempt;
    return these.hasAddress(address) || (user !== undefined && these.hasUser(user));
  }
}
