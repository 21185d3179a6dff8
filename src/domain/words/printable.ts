/**
 * Text from outside, made safe for a log or a terminal: control characters (C0, DEL, C1), line separators,
 * bidirectional overrides, zero-width characters and lone surrogates become visible escapes, and what is longer than
 * `max` is cut and marked. The result holds no character that moves a cursor or starts a line.
 */
export function printable(text: string, max = 256): string {
  const cut = text.length > max ? `${text.slice(0, max)}…` : text;
  return cut.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const UNSAFE =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
