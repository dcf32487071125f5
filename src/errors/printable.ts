/**
 * What a terminal or a page would obey or hide instead of showing it: control characters, direction overrides and isolates,
 * line separators, invisible marks, halves of a surrogate pair. Joiners stay: emoji and several scripts need them.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u061C\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]/gu;

/** Text from a file as a terminal can show it, on one line: what is unprintable as `\n`, `\u001b`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** `printable` of text that may have several lines and tabs. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  );
}

/** Text from a file as a message shows it: cut to `most` characters, `printable`. */
export function shownText(text: string, most = 60): string {
  return printable(text.length > most ? `${text.slice(0, most - 1)}…` : text);
}

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(character: string): string {
  return SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
