import { printable } from '#src/errors';

/** Text of a file as an error shows it: cut to `most` characters, what a terminal would obey escaped. */
export function shownText(text: string, most = 60): string {
  return printable(text.length > most ? `${text.slice(0, most - 1)}…` : text);
}
