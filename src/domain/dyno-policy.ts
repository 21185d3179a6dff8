import { environmentProblem, type EnvironmentVariable } from './environment.js';
import type { Grant } from './grant.js';
import type { GitService } from './git-request.js';
import type { Session } from './session.js';

/** What one dyno may use up. */
export interface DynoLimits {
  /** Data memory of each process, in bytes (RLIMIT_DATA: anonymous memory, not mapped files). */
  readonly memoryBytes: number;
  readonly processes: number;
  /** Largest file that can be written, in bytes. */
  readonly fileBytes: number;
  /** Processor time of each process, in seconds. */
  readonly cpuSeconds: number;
}

/**
 * A 2 GB repository passes: cloning it takes git less than 256 MiB of data memory, pushing it less than 1 GiB.
 */
export const DEFAULT_DYNO_LIMITS: DynoLimits = {
  memoryBytes: 2 * 1024 ** 3,
  processes: 256,
  fileBytes: 8 * 1024 ** 3,
  cpuSeconds: 3600,
};

/** What runs in a dyno, and with what. */
export interface DynoPlan {
  readonly service: GitService;
  /** Only a writer's dyno has the repository writable. */
  readonly access: 'read' | 'write';
  /** The whole environment beside the fixed PATH, HOME and LANG: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  /** Those of its names whose values are secret. */
  readonly secrets: readonly string[];
}

/** Git's own name for the wire protocol; set only where the client asked for one. */
function protocolEnvironment(session: Session): Record<string, string> {
  return session.request.protocol === 0 ? {} : { GIT_PROTOCOL: `version=${session.request.protocol}` };
}

/**
 * What the dyno of a session runs. Built from nothing: of what the client sent, only the checked protocol version
 * goes in. Hooks find out who pushed from the `GITMOUTH_*` variables (README, "Hooks").
 */
export function planDyno(session: Session, grant: Grant): DynoPlan {
  const { caller, request } = session;
  const ofPlatform = (grant.environment ?? []).filter((variable) => environmentProblem(variable) === undefined);
  return {
    service: request.service,
    access: grant.access,
    environment: {
      ...valuesOf(ofPlatform),
      ...protocolEnvironment(session),
      GITMOUTH_USER: caller.user.name,
      GITMOUTH_KEY_FINGERPRINT: caller.key.sha256,
      GITMOUTH_APP: grant.app,
      GITMOUTH_SESSION_ID: session.id,
      GITMOUTH_CLIENT_ADDRESS: caller.connection.address,
      ...(grant.branch === undefined ? {} : { GITMOUTH_BRANCH: grant.branch }),
    },
    secrets: ofPlatform.filter(({ secret }) => secret).map(({ name }) => name),
  };
}

function valuesOf(variables: readonly EnvironmentVariable[]): Record<string, string> {
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}
