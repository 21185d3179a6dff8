import type { DomainEvent } from '../../domain/events.js';
import type { Observer } from '../../ports/observer.js';

/** Keeps every event it is told of. */
export class MemoryObserver implements Observer {
  readonly events: DomainEvent[] = [];

  record(event: DomainEvent): void {
    this.events.push(event);
  }

  /** The events of one type, in order. */
  ofType<Type extends DomainEvent['type']>(type: Type): readonly Extract<DomainEvent, { type: Type }>[] {
    return this.events.filter((event): event is Extract<DomainEvent, { type: Type }> => event.type === type);
  }
}
