/** What the command in a dyno under test does. */
export type Script =
  /** Copies its input to its output; exits 0 at the end of its input, or already after that many bytes. */
  | { readonly kind: 'echo'; readonly bytes?: number }
  /** Exits at once, having read and written nothing. */
  | { readonly kind: 'exit'; readonly code: number }
  /** Kills itself. */
  | { readonly kind: 'die'; readonly signal: 'TERM' | 'KILL' }
  /** Writes `out` to standard output and `err` to standard error, exits 0. */
  | { readonly kind: 'both' }
  /** Writes that many bytes, the letter `x` each, to one stream; then exits. */
  | { readonly kind: 'write'; readonly bytes: number; readonly to: 'stdout' | 'stderr'; readonly code: number }
  /** Writes to standard output for ever. */
  | { readonly kind: 'flood' }
  /** Counts the bytes of its input and writes the number, exits 0. */
  | { readonly kind: 'count' }
  /** Says `ready` and a line end; sleeps, reading nothing, until a signal ends it. */
  | { readonly kind: 'sleep' }
  /** Says `ready` and a line end; upon TERM, and upon INT, says the signal's name and exits 7. */
  | { readonly kind: 'trap' }
  /** Says `ready` and a line end; ignores TERM, and sleeps. */
  | { readonly kind: 'ignore-term' }
  /** Leaves something running that holds its output open and ignores TERM; says `ready` and a line end, exits 0. */
  | { readonly kind: 'leave-behind' };

/**
 * The script in words that a POSIX shell understands, for adapters whose dynos can run one: `sh -c`.
 *
 * A shell runs its traps only between commands, so those who sleep do it in short pieces.
 */
export function shellScript(script: Script): string {
  switch (script.kind) {
    case 'echo':
      return script.bytes === undefined ? 'exec cat' : `exec head -c ${script.bytes}`;
    case 'exit':
      return `exit ${script.code}`;
    case 'die':
      return `kill -${script.signal} $$; sleep 60`;
    case 'both':
      return 'printf out; printf err >&2';
    case 'write':
      return `head -c ${script.bytes} /dev/zero | tr '\\000' x ${script.to === 'stderr' ? '>&2' : ''}; exit ${script.code}`;
    case 'flood':
      return 'exec tr "\\000" x </dev/zero';
    case 'count':
      return 'exec wc -c';
    case 'sleep':
      return 'echo ready; exec sleep 60';
    case 'trap':
      return "trap 'echo TERM; exit 7' TERM; trap 'echo INT; exit 7' INT; echo ready; while :; do sleep 0.02; done";
    case 'ignore-term':
      return "trap '' TERM; echo ready; while :; do sleep 0.02; done";
    case 'leave-behind':
      return "(trap '' TERM; while :; do sleep 0.02; done) & echo ready; exit 0";
  }
}
