/** The `code` of what was thrown, as the system and SQLite set it; not by `instanceof`, which fails across realms. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
