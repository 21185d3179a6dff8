import type { DomainEvent } from '../domain/events.js';

/** Told of everything observable. Log, metrics and audit trail are observers; nothing else logs. */
export interface Observer {
  /** Must not throw, must not wait. */
  record(event: DomainEvent): void;
}
