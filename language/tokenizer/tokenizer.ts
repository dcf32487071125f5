import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { createBytePairs } from './bytePairs.js';
import { byteStringOf, textOf, utf8Bytes } from './byteStrings.js';
import { ownCopy } from './ownCopy.js';
import { wordEndOf } from './splitPattern.js';

/** The special token that starts a sequence and separates documents. */
export const END_OF_TEXT = '<|endoftext|>';

/** Text to token ids and back. */
export interface Tokenizer {
  readonly name: string;
  /** One more than the highest id; a few encodings leave ids below it unused. */
  readonly vocabSize: number;
  /** Starts every sequence and separates documents. */
  readonly endOfTextId: number;
  /** SHA-256 of ranks, split pattern and special tokens: equal fingerprints give equal ids for every text. */
  readonly fingerprint: string;
  /** Ids of a text; special-token strings in it are ordinary text, a lone surrogate is encoded as U+FFFD. */
  encode(text: string): Int32Array;
  /**
   * Text of ids; invalid UTF-8 and unused ids become U+FFFD.
   *
   * @throws RangeError when an id is outside [0, vocabSize)
   */
  decode(ids: ArrayLike<number>): string;
  /** Frees what encoding has remembered. */
  dispose(): void;
}

/** An encoding as tiktoken describes it. */
export interface Encoding {
  readonly name: string;
  /** Lines `! firstRank base64 base64 …`, tiktoken's own compressed form. */
  readonly ranks: string;
  readonly specialTokens: Readonly<Record<string, number>>;
  readonly pattern: string;
}

/** The tokens by id, a character per byte; `all` has the special ones too. A few encodings leave ids unused: holes. */
function tokenSpellings({ ranks, specialTokens }: Encoding): { readonly ordinary: string[]; readonly all: string[] } {
  const ordinary: string[] = [];
  for (const line of ranks.split('\n')) {
    const [, first, ...tokens] = line.split(' ');
    for (const [i, base64] of tokens.entries()) {
      ordinary[Number(first) + i] = atob(base64);
    }
  }
  const all = [...ordinary];
  for (const [text, id] of Object.entries(specialTokens)) all[id] = text;
  return { ordinary, all };
}

const REPLACEMENT = byteStringOf('\ufffd');

/** Words up to this length are remembered with their ids, so many at most. */
const MAX_CACHED_LENGTH = 32;
const MAX_CACHED_WORDS = 1 << 16;

/** A tokenizer: text is split into words by the pattern, and the bytes of each are merged pair by pair. */
export function createTokenizer(encoding: Encoding): Tokenizer {
  const { ordinary, all } = tokenSpellings(encoding);
  const pairs = createBytePairs(ordinary);
  const wordEnd = wordEndOf(encoding.pattern);
  const specials = Object.entries(encoding.specialTokens).sort((a, b) => a[1] - b[1]);
  const cache = new Map<string, number | Int32Array>();

  const encodeWord = (word: string): number | Int32Array =>
    pairs.idOf(byteStringOf(word)) ?? pairs.merge(utf8Bytes(word));
  const cachedWord = (word: string): number | Int32Array => {
    const known = cache.get(word);
    if (known !== undefined) return known;
    const ids = encodeWord(word);
    if (cache.size >= MAX_CACHED_WORDS) cache.clear();
    cache.set(ownCopy(word), ids);
    return ids;
  };

  return {
    name: encoding.name,
    vocabSize: all.length,
    endOfTextId: encoding.specialTokens[END_OF_TEXT],
    // Not node:crypto: pages of `tokenfuse export web` make tokenizers too.
    fingerprint: bytesToHex(sha256(utf8Bytes(JSON.stringify([encoding.pattern, specials, encoding.ranks])))),
    encode: (text) => {
      let ids = new Int32Array(text.length + 16);
      let count = 0;
      for (let start = 0; start < text.length; ) {
        const end = wordEnd(text, start);
        const word = text.slice(start, end);
        const found = word.length <= MAX_CACHED_LENGTH ? cachedWord(word) : encodeWord(word);
        const added = typeof found === 'number' ? 1 : found.length;
        if (count + added > ids.length) {
          // A character is up to three bytes, and so up to three tokens.
          const larger = new Int32Array(2 * (count + added));
          larger.set(ids);
          ids = larger;
        }
        if (typeof found === 'number') ids[count] = found;
        else ids.set(found, count);
        count += added;
        start = end;
      }
      return ids.slice(0, count);
    },
    decode: (ids) => {
      const parts: string[] = [];
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i];
        if (!Number.isInteger(id) || id < 0 || id >= all.length) {
          throw new RangeError(`decode: expected ids in [0, ${all.length}), got ${id}`);
        }
        parts.push(all[id] ?? REPLACEMENT);
      }
      return textOf(parts.join(''));
    },
    dispose: () => {
      cache.clear();
    },
  };
}
