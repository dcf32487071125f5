import { shownText, UserError } from '#src/errors';
import { RULES } from './ptbRules.js';

/** How captions are tokenized before scoring. */
export interface TokenizeOptions {
  /** Captions are already tokens separated by single spaces: use them unchanged. */
  readonly pretokenized?: boolean;
  /** Called with every caption, for progress; what it throws ends the work. */
  readonly onCaption?: () => void;
}

/** The tokens that scorers remove from a caption. Does not contain `-lrb-`: brackets stay, in lower case. */
const PUNCTUATION = new Set(["''", "'", '``', '`', '.', '?', '!', ',', ':', '-', '--', '...', ';']);

/**
 * Fast path for most of a caption, with the same result as the rules: a word, or a dropped punctuation mark, before
 * whitespace. Before a period, only words longer than any abbreviation take it.
 */
const PLAIN_WORD = /([A-Za-z]+)(?:[,;:!?]?|(?<=[A-Za-z]{8})\.)[ \n]/y;
const PLAIN_MARK = /[.,;:!? \n](?=[ \n])/y;
/** Whole words that the rules split. */
const TAKEN_APART = new Set(['cannot', 'gonna', 'wanna', 'gotta', 'lemme', 'gimme']);

const NEEDED = [...new Set(RULES.flatMap(({ needs }) => needs ?? []))];

/** Scores are of captions, not of documents: some of them take the square of a text's length. */
const MAX_CHARACTERS = 100_000;

/** Tokenizes a caption unless it is already tokenized. @throws UserError for one that is far too long */
export function tokenizeCaption(caption: string, { pretokenized = false, onCaption }: TokenizeOptions): string {
  onCaption?.();
  if (caption.length > MAX_CHARACTERS) {
    throw new UserError(
      `captions: expected captions of at most ${MAX_CHARACTERS} characters, got one of ${caption.length}: ${shownText(caption, 40)}`,
    );
  }
  return pretokenized ? caption : ptbTokenize(caption);
}

/**
 * A caption's tokens as standard caption scorers see them: the Penn Treebank tokens of CoreNLP's PTBTokenizer
 * (`-preserveLines -lowerCase`) without punctuation, separated by single spaces.
 *
 * Brackets come out as `-lrb-`, `-rrb-`; `!!` and `?!` stay, as only single marks are punctuation; emoji vanish. A token
 * holds no space, but may hold U+00A0 where the tokenizer kept parts together (`1 1/2`, a telephone number).
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
    // The tokenizer treats every character beyond 16 bits as unknown; so is their replacement.
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
  /** Empty if the text contains none. */
  readonly token: string;
  readonly end: number;
}

function plainToken(text: string, start: number): Match | undefined {
  PLAIN_MARK.lastIndex = start;
  if (text[start] === ' ' || PLAIN_MARK.test(text)) return { token: '', end: start + 1 };
  PLAIN_WORD.lastIndex = start;
  const word = PLAIN_WORD.exec(text)?.[1];
  if (word === undefined || TAKEN_APART.has(word.toLowerCase())) return undefined;
  return { token: word, end: start + word.length };
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
