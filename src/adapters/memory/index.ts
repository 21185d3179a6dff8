/** The simplest adapter of every port: for tests, for examples, and as the ports' promises in their shortest form. */
export { MemoryAccessControl } from './access-control.js';
export { MemoryAuthenticator } from './authenticator.js';
export { MemoryClientChannel, type MemoryClient } from './client-channel.js';
export { MemoryClock } from './clock.js';
export { MemoryDynoSession, type MemoryCommand, type MemoryProcess } from './dyno-session.js';
export { MemoryObserver } from './observer.js';
export { MemoryPenalties } from './penalties.js';
export { MemoryPlatform } from './platform.js';
export { MemoryProvisioner, type Provision } from './provisioner.js';
export { MemoryRateLimiter } from './rate-limiter.js';
export { MemoryRepositoryLocks, type MemoryLockState } from './repository-locks.js';
export { MemorySessionRegistry, MemorySessionState } from './session-registry.js';
export { MemoryLiveConnections } from './live-connections.js';
export { MemoryThrottle } from './throttle.js';
export { MemoryTransport } from './transport.js';
export { Trouble } from './trouble.js';
