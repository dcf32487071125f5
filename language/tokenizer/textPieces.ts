import { UserError } from '#src/errors';
import { classesOf, codePointBefore, LETTER, LOWER, NUMBER, UPPER } from './characterClasses.js';

/** Longest text without a place to cut it, in UTF-16 units: encoding a word needs about 30 bytes a unit. */
const MAX_UNCUT = 1 << 26;

export interface TextPiecesOptions {
  /** Pieces are at least this long (UTF-16 units), except the last. Default: 2^18. */
  readonly minLength?: number;
  /** Where the text is from, in messages. */
  readonly where?: string;
}

/**
 * Regroups a stream of text into pieces whose separate encodings concatenate to exactly that of the whole text: it is cut
 * only where every supported split pattern ends a word. Text without such a position stays in one piece.
 *
 * @throws UserError for more than 2^26 units without such a position
 */
export function* textPieces(chunks: Iterable<string>, options: TextPiecesOptions = {}): Generator<string> {
  const { minLength = 1 << 18, where = 'text' } = options;
  const searched: string[] = []; // in vain
  let searchedLength = 0;
  let fresh = '';
  for (const chunk of chunks) {
    fresh += chunk;
    if (searchedLength + fresh.length < minLength) continue;
    const cut = lastWordEnd(fresh);
    if (cut !== undefined) {
      yield searched.join('') + fresh.slice(0, cut);
      searched.length = 0;
      searchedLength = 0;
      fresh = fresh.slice(cut);
      continue;
    }
    if (searchedLength + fresh.length > MAX_UNCUT) {
      throw new UserError(
        `${where}: expected words with blanks between them, got more than ${MAX_UNCUT} characters without a blank; is this text?`,
      );
    }
    // A cut shows in the character before it and the one after it: three units are looked at again.
    searched.push(fresh.slice(0, -3));
    searchedLength += searched[searched.length - 1].length;
    fresh = fresh.slice(-3);
  }
  if (searchedLength + fresh.length > 0) yield searched.join('') + fresh;
}

/**
 * The last position after a letter or digit and before a blank or punctuation. Every supported split pattern (GPT-2, cl100k,
 * o200k) ends a word there and never looks behind the word it matches. The apostrophe is excluded: o200k joins "it's".
 */
function lastWordEnd(text: string): number | undefined {
  for (let end = text.length - 1; end > 0; end--) {
    const next = text.charCodeAt(end);
    // Half a pair: its other half may be in the next chunk.
    if (next === APOSTROPHE || isLowSurrogate(next) || (isHighSurrogate(next) && end + 1 === text.length)) continue;
    const nextClasses = classesOf(text.codePointAt(end) as number);
    if ((nextClasses & (LETTER | NUMBER | UPPER | LOWER)) !== 0) continue;
    if ((classesOf(codePointBefore(text, end)) & (LETTER | NUMBER)) !== 0) return end;
  }
  return undefined;
}

const APOSTROPHE = 39;

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
