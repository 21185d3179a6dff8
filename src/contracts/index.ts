/** The contracts of all ports, for the tests of an adapter under any test runner: see docs/adapters.md. */
export { accessControlContract, type AccessControlHarness, type AccessControlLack } from './access-control.js';
export { authenticatorContract, type AuthenticatorHarness, type AuthenticatorLack } from './authenticator.js';
export { clientChannelContract, type ClientChannelHarness } from './client-channel.js';
export { clockContract, type ClockHarness } from './clock.js';
export type { ContractCase, Harness } from './contract.js';
export { shellScript, type Script } from './dyno-scripts.js';
export { observerContract, type ObserverHarness, type ObserverLack } from './observer.js';
export { penaltiesContract, type PenaltiesHarness } from './penalties.js';
export { provisionerContract, type Order, type ProvisionerHarness, type ProvisionerLack } from './provisioner.js';
export { rateLimiterContract, type RateLimiterHarness } from './rate-limiter.js';
export { repositoryLocksContract, type RepositoryLocksHarness, type RepositoryLocksLack } from './repository-locks.js';
export {
  sampleCaller,
  sampleCertificate,
  sampleCertified,
  sampleCertifiedCaller,
  sampleConnection,
  sampleKey,
  sampleRequest,
  sampleSession,
} from './samples.js';
export { sessionRegistryContract, type SessionRegistryHarness, type SessionRegistryLack } from './session-registry.js';
export { liveConnectionsContract, type LiveConnectionsHarness, type LiveConnectionsLack } from './live-connections.js';
export { throttleContract, type ThrottleHarness } from './throttle.js';
export { transportContract, type TransportHarness, type TransportLack } from './transport.js';
