import type { Redis } from 'ioredis';
import type { Clock } from '../../ports/clock.js';
import { StoredLocks } from '../leases/stored-locks.js';
import { RedisLockTable } from './redis-lock-table.js';

/** Locks of all gitmouths that share a Redis. */
export class RedisLocks extends StoredLocks {
  constructor(redis: Redis, clock: Clock, leaseMs: number) {
    super(new RedisLockTable(redis, leaseMs), clock, leaseMs);
  }
}
