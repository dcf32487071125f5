import { americanize } from './americanize.js';
import { RULES } from './ptbRules.js';

/** How captions are split before they are scored. */
export interface TokenizeOptions {
  /** Captions are tokens with one space between them already: take them as they are. */
  readonly pretokenized?: boolean;
}

/** What the scorers take out of a tokenized caption. `-lrb-` is not in it: brackets stay, once they are lower case. */
const PUNCTUATION = new Set(["''", "'", '``', '`', '.', '?', '!', ',', ':', '-', '--', '...', ';']);

/**
 * Shortcuts to what the rules find, for most of a caption: a word, or a mark that is dropped, before white space. Before
 * a full stop only words that are longer than any abbreviation are plain.
 */
const PLAIN_WORD = /([A-Za-z]+)(?:[,;:!?]?|(?<=[A-Za-z]{8})\.)[ \n]/y;
const PLAIN_MARK = /[.,;:!? \n](?=[ \n])/y;
/** Whole words that the rules take apart. */
const TAKEN_APART = new Set(['cannot', 'gonna', 'wanna', 'gotta', 'lemme', 'gimme']);

const NEEDED = [...new Set(RULES.flatMap(({ needs }) => needs ?? []))];

/** Splits a caption unless it is split already. */
export function tokenizeCaption(caption: string, { pretokenized = false }: TokenizeOptions): string {
  return pretokenized ? caption : ptbTokenize(caption);
}

/**
 * A caption's tokens as the caption scorers of the field see them: the Penn Treebank tokens of CoreNLP's PTBTokenizer
 * (`-preserveLines -lowerCase`), punctuation left out, one space between tokens.
 *
 * British spelling becomes American before the case is dropped, so `grey` gives `gray` and `Grey` gives `grey`.
 * Brackets come out as `-lrb-`, `-rrb-`, slashes as `\/`; `!!` and `?!` stay, as only single marks are punctuation;
 * emoji vanish. A token holds no space, but may hold U+00A0 where the tokenizer kept parts together (`1 1/2`, a telephone number).
 * The time is linear in the caption's length.
 *
 * @example
 * ```ts
 * ptbTokenize("The dog's bowl, empty."); // "the dog 's bowl empty"
 * ```
 */
export function ptbTokenize(caption: string): string {
  const text = `${caption
    .replace(/[\r\n\v\f\u0085\u2028\u2029]/g, ' ')
    .replace(/\u00AD/g, '')
    // Characters beyond 16 bits are unknown to the tokenizer, whatever they are; so is this one in their place.
    .replace(/[\u{10000}-\u{10FFFF}]/gu, '\uFFFE')}\n`;
  const lastNeeded = new Map(NEEDED.map((needed) => [needed, text.lastIndexOf(needed)]));
  const tokens: string[] = [];
  for (let start = 0; start < text.length; ) {
    const { token, end } = plainToken(text, start) ?? longestToken(text, start, lastNeeded);
    const written = token.toLowerCase();
    if (written !== '' && !PUNCTUATION.has(written)) tokens.push(written);
    start = end;
  }
  return tokens.join(' ');
}

interface Match {
  /** Empty where the text holds none. */
  readonly token: string;
  readonly end: number;
}

function plainToken(text: string, start: number): Match | undefined {
  PLAIN_MARK.lastIndex = start;
  if (text[start] === ' ' || PLAIN_MARK.test(text)) return { token: '', end: start + 1 };
  PLAIN_WORD.lastIndex = start;
  const word = PLAIN_WORD.exec(text)?.[1];
  if (word === undefined || TAKEN_APART.has(word.toLowerCase())) return undefined;
  return { token: americanize(word), end: start + word.length };
}

function longestToken(text: string, start: number, lastNeeded: ReadonlyMap<string, number>): Match {
  if (/[\s\u200B\u200E\u200F]/.test(text[start])) return { token: '', end: start + 1 };
  let longest = 0;
  let best: Match = { token: '', end: start + 1 };
  for (const { pattern, write, needs } of RULES) {
    if (needs !== undefined && lastNeeded.get(needs)! < start) continue;
    pattern.lastIndex = start;
    const match = pattern.exec(text);
    if (match === null || match[0].length <= longest) continue;
    longest = match[0].length;
    const token = match[1] ?? match[0];
    best = { token: write === undefined ? token : write(token), end: start + token.length };
  }
  return best;
}
