/** The command as the dyno's login shell gets it. */

/** With room for what is around it, the packet that every SSH server must take (RFC 4253 6.1). */
export const LONGEST_COMMAND_BYTES = 32_000;

/**
 * A word that a shell takes as it is: in single quotes, with those and backslashes outside of them. POSIX needs the
 * first alone; in fish a backslash may also escape the closing quote.
 */
export function shellWord(text: string): string {
  return `'${text.replaceAll(/['\\]/g, (character) => `'\\${character}'`)}'`;
}

/**
 * `command`, with variables in front of it: by `env`, since not every login shell knows assignments there, and in the
 * shell's own place, so that signals and the exit are the command's. Alone it stays as git itself says it, which is all
 * that a `git-shell` takes.
 */
export function withVariables(command: string, variables: readonly (readonly [name: string, value: string])[]): string {
  if (variables.length === 0) return command;
  return ['exec env', ...variables.map(([name, value]) => `${name}=${shellWord(value)}`), command].join(' ');
}
