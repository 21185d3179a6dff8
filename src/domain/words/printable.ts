/**
 * Text from outside, made safe for a log or a terminal: control characters, line separators and everything that is
 * invisible or changes the direction of text (Unicode's categories Cc, Cf, Zl, Zp), and lone surrogates, become visible
 * escapes; what is longer than `max` is cut and marked. The result holds no character that moves a cursor or starts a
 * line, and made printable again it stays as it is.
 */
export function printable(text: string, max = 256): string {
  const cut = text.length > max ? `${text.slice(0, max)}…` : text;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, escaped);
}

function escaped(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16).padStart(4, '0');
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex}`;
}
