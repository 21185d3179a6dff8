/** One variable that a platform gives to a dyno. */
export interface EnvironmentVariable {
  readonly name: string;
  readonly value: string;
  /** Never part of a command line, where anybody on the machine could read it. */
  readonly secret: boolean;
}

export const MAX_ENVIRONMENT_VARIABLES = 64;
/** In UTF-16 units. */
export const MAX_ENVIRONMENT_VALUE_LENGTH = 8192;

const NAME = /^[A-Z][A-Z0-9_]{0,63}$/;
/** Names that git, gitmouth, the loader or the dyno's own shell use for themselves: no platform sets them. */
const OWN_NAME = /^(?:GIT_|GITMOUTH_|LD_)|^(?:PATH|HOME|LANG)$/;

/** Why a platform may not set this variable, in words for its makers; undefined when it may. Never quotes the value. */
export function environmentProblem({ name, value }: EnvironmentVariable): string | undefined {
  if (!NAME.test(name)) return "a variable's name must match [A-Z][A-Z0-9_]* and have at most 64 characters";
  if (OWN_NAME.test(name)) return `${name} is not the platform's to set`;
  if (value.includes('\0')) return `the value of ${name} holds a NUL`;
  if (value.length > MAX_ENVIRONMENT_VALUE_LENGTH) {
    return `the value of ${name} is longer than ${MAX_ENVIRONMENT_VALUE_LENGTH} characters`;
  }
  return undefined;
}
