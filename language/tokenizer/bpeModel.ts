/** @file The file format of tokenizers trained by tokenfuse: `tokenizer.json`, one self-contained JSON object. */
import { z } from 'zod';
import { describeValue, expectation } from '#src/config';
import { shownText, UserError } from '#src/errors';
import { readJson, unsealedOrOld, writeSealedJson } from '#src/storage';
import { GPT2_PATTERN } from './splitPattern.js';
import { END_OF_TEXT, type Encoding } from './tokenizer.js';

/** Maximum vocabulary size of a trained tokenizer. */
export const MAX_VOCAB_SIZE = 1_000_000;

const FORMAT_VERSION = 1;

/** A byte-level BPE vocabulary. The end-of-text token has the id after the last of `tokens`. */
export interface BpeModel {
  /** The split pattern; no token spans two of its matches. */
  readonly pattern: string;
  /** Bytes of each token, indexed by id, which is also its rank (merge order). Includes all single bytes. */
  readonly tokens: readonly Uint8Array[];
  /** SHA-256 over the SHA-256 (in hexadecimal) of each text trained on, in order. */
  readonly trainedOn: string;
}

const BpeFile = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  pattern: z.literal(GPT2_PATTERN),
  /** `base64 rank`, as a line of a .tiktoken file. */
  ranks: z.array(z.string()),
  specialTokens: z.strictObject({ [END_OF_TEXT]: z.int() }),
  vocabSize: z.int().max(MAX_VOCAB_SIZE),
  trainedOn: z.string(),
});

/** Writes a model as `tokenizer.json`; equal models give equal bytes. */
export function writeBpeModel(path: string, model: BpeModel): void {
  const file: z.infer<typeof BpeFile> = {
    formatVersion: FORMAT_VERSION,
    pattern: GPT2_PATTERN,
    ranks: model.tokens.map((bytes, rank) => `${Buffer.from(bytes).toString('base64')} ${rank}`),
    specialTokens: { [END_OF_TEXT]: model.tokens.length },
    vocabSize: model.tokens.length + 1,
    trainedOn: model.trainedOn,
  };
  writeSealedJson(path, file);
}

/**
 * Reads a `tokenizer.json` and checks that every rank occurs once, without gaps, and every byte has a token.
 *
 * @throws UserError, one line, naming the file and the first problem
 */
export function readBpeModel(path: string): BpeModel {
  const fail = (why: string): never => {
    throw new UserError(`${path}: not a valid tokenizer: ${why}; train it again with 'tokenfuse tokenizer train'`);
  };
  const json = readJson(path, 'tokenizer');
  const other = otherTokenizer(json);
  if (other !== undefined) {
    throw new UserError(`${path}: ${other}; tokenfuse reads those that 'tokenfuse tokenizer train' wrote`);
  }
  const parsed = BpeFile.safeParse(unsealedOrOld(json, path, 'tokenizer'));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return fail([...(issue.path.length === 0 ? [] : [issue.path.join('.')]), expectation(issue)].join(': '));
  }
  const { ranks, specialTokens, vocabSize, pattern, trainedOn } = parsed.data;
  const tokens = new Array<Buffer | undefined>(ranks.length);
  const rankOfToken = new Map<string, number>();
  for (const [index, entry] of ranks.entries()) {
    const match = /^(\S+) (\d+)$/.exec(entry);
    if (match === null)
      return fail(`ranks[${index}]: expected 'base64 rank', got ${describeValue(entry.slice(0, 40))}`);
    const [, base64, digits] = match;
    const bytes = Buffer.from(base64, 'base64');
    const rank = Number(digits);
    if (bytes.toString('base64') !== base64) return fail(`ranks[${index}]: '${shownText(base64, 40)}' is not base64`);
    if (rank >= ranks.length) {
      return fail(
        `ranks[${index}]: rank ${rank} leaves a gap: ${ranks.length} tokens take the ranks below ${ranks.length}`,
      );
    }
    if (tokens[rank] !== undefined) return fail(`ranks[${index}]: rank ${rank} is given twice`);
    const before = rankOfToken.get(base64);
    if (before !== undefined) return fail(`ranks[${index}]: token '${base64.slice(0, 40)}' already has rank ${before}`);
    tokens[rank] = bytes;
    rankOfToken.set(base64, rank);
  }
  for (let byte = 0; byte < 256; byte++) {
    if (!rankOfToken.has(Buffer.from([byte]).toString('base64'))) return fail(`ranks: no token for the byte ${byte}`);
  }
  if (specialTokens[END_OF_TEXT] !== ranks.length) {
    return fail(`specialTokens: expected ${END_OF_TEXT} at ${ranks.length}, got ${specialTokens[END_OF_TEXT]}`);
  }
  if (vocabSize !== ranks.length + 1) {
    return fail(`vocabSize: expected ${ranks.length + 1} (ranks and one special token), got ${vocabSize}`);
  }
  // As many distinct ranks as slots, all below the number of slots: no slot is left empty.
  return { pattern, tokens: tokens as Buffer[], trainedOn };
}

/** What a file of another program is, by the keys that it always has. */
function otherTokenizer(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null || 'formatVersion' in json) return undefined;
  const { model } = json as { readonly model?: unknown };
  if (typeof model === 'object' && model !== null) {
    const { type } = model as { readonly type?: unknown };
    return `a Hugging Face tokenizer${typeof type === 'string' ? ` (${shownText(type, 40)})` : ''}`;
  }
  if ('tokenizer_class' in json) return 'the configuration of a Hugging Face tokenizer';
  const ids = Object.values(json);
  return ids.length > 0 && ids.every(Number.isInteger) ? 'a Hugging Face vocabulary' : undefined;
}

/** A model in the form that tiktoken loads. */
export function bpeEncoding(model: BpeModel): Encoding {
  return {
    name: `bpe-${model.tokens.length + 1}`,
    ranks: `! 0 ${model.tokens.map((bytes) => Buffer.from(bytes).toString('base64')).join(' ')}`,
    specialTokens: { [END_OF_TEXT]: model.tokens.length },
    pattern: model.pattern,
  };
}
