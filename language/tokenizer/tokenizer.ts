import { createHash } from 'node:crypto';
import { Tiktoken } from 'tiktoken/lite';

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
  /** Frees tiktoken's memory; the tokenizer cannot be used afterwards. */
  dispose(): void;
}

/** What tiktoken needs to build an encoding. */
export interface Encoding {
  readonly name: string;
  /** Lines `! firstRank base64 base64 …`, tiktoken's own compressed form. */
  readonly ranks: string;
  readonly specialTokens: Readonly<Record<string, number>>;
  readonly pattern: string;
}

/** Every id in use, as a mask of length vocabSize: a byte-pair rank or a special token. */
function usedIds(encoding: Encoding): Uint8Array {
  const ids = Object.values(encoding.specialTokens);
  for (const line of encoding.ranks.split('\n')) {
    const [, first, ...tokens] = line.split(' ');
    for (let i = 0; i < tokens.length; i++) ids.push(Number(first) + i);
  }
  const used = new Uint8Array(ids.reduce((highest, id) => Math.max(highest, id), -1) + 1);
  for (const id of ids) used[id] = 1;
  return used;
}

const REPLACEMENT = Buffer.from('\ufffd');

/** A tokenizer that encodes and decodes through tiktoken. */
export function createTokenizer(encoding: Encoding): Tokenizer {
  const used = usedIds(encoding);
  const tiktoken = new Tiktoken(encoding.ranks, { ...encoding.specialTokens }, encoding.pattern);
  const specials = Object.entries(encoding.specialTokens).sort((a, b) => a[1] - b[1]);
  return {
    name: encoding.name,
    vocabSize: used.length,
    endOfTextId: encoding.specialTokens[END_OF_TEXT],
    fingerprint: createHash('sha256')
      .update(JSON.stringify([encoding.pattern, specials, encoding.ranks]))
      .digest('hex'),
    encode: (text) => Int32Array.from(tiktoken.encode_ordinary(text)),
    decode: (ids) => {
      // tiktoken traps on unknown ids and is unusable afterwards, so unused ids are never passed to it.
      const parts: Uint8Array[] = [];
      let run: number[] = [];
      const flush = () => {
        if (run.length > 0) parts.push(tiktoken.decode(Uint32Array.from(run)));
        run = [];
      };
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i];
        if (!Number.isInteger(id) || id < 0 || id >= used.length) {
          throw new RangeError(`decode: expected ids in [0, ${used.length}), got ${id}`);
        }
        if (used[id] === 1) {
          run.push(id);
        } else {
          flush();
          parts.push(REPLACEMENT);
        }
      }
      flush();
      return Buffer.concat(parts).toString('utf8');
    },
    dispose: () => tiktoken.free(),
  };
}
