/**
 * @file Byte-level byte-pair encoding: start from the 256 bytes and repeatedly merge the most frequent pair into a token.
 * Sources: Sennrich et al. 2016 (https://aclanthology.org/P16-1162), bytes as in GPT-2 (Radford et al. 2019).
 */
import { createHash } from 'node:crypto';
import { ConfigError, UserError } from '#src/errors';
import { startWork } from '#src/tracking';
import { type BpeModel, MAX_VOCAB_SIZE } from './bpeModel.js';
import { ownCopy } from './ownCopy.js';
import { createPairQueue, pairOfKey } from './pairQueue.js';
import { GPT2_PATTERN, splitWords } from './splitPattern.js';
import { readTextDocuments } from './textDocuments.js';
import { hashTextSource, type TextSource } from './textSource.js';
import { createWordParts } from './wordParts.js';

export interface TrainBpeOptions {
  /** Text files, JSONL files (`.jsonl`, `.ndjson`), and captions by their format. */
  readonly files?: readonly TextSource[];
  readonly texts?: readonly string[];
  /** Target vocabulary size: 256 bytes, merges and the end-of-text token. */
  readonly vocabSize: number;
  /** Pairs that occur less often are never merged. Default: 2. */
  readonly minFrequency?: number;
  /** The JSONL field that contains the text. Default: `text`. */
  readonly field?: string;
}

/**
 * Trains a byte-level BPE on text split by GPT-2's pattern. The most frequent pair is merged first, ties by the lowest ids,
 * so equal text gives an equal model. The vocabulary is smaller than `vocabSize` if no pair is frequent enough.
 *
 * @throws ConfigError for a vocabSize or minFrequency out of range
 * @throws UserError for an unreadable file, or no text at all
 */
export function trainBpe(options: TrainBpeOptions): BpeModel {
  const { vocabSize, minFrequency = 2 } = options;
  if (!Number.isInteger(vocabSize) || vocabSize < 257 || vocabSize > MAX_VOCAB_SIZE) {
    const why = '256 bytes and the end-of-text token are always there';
    throw new ConfigError(`vocabSize: expected an integer from 257 (${why}) to ${MAX_VOCAB_SIZE}, got ${vocabSize}`);
  }
  if (!Number.isInteger(minFrequency) || minFrequency < 1) {
    throw new ConfigError(`minFrequency: expected an integer of at least 1, got ${minFrequency}`);
  }
  const { counts, trainedOn } = countWords(options);
  if (counts.size === 0) throw new UserError('tokenizer training: expected some text, got none');
  const tokens = mergePairs(counts, vocabSize - 1, minFrequency);
  return { pattern: GPT2_PATTERN, tokens, trainedOn };
}

function countWords(options: TrainBpeOptions): { counts: Map<string, number>; trainedOn: string } {
  const counts = new Map<string, number>();
  const count = (text: string): void => {
    for (const word of splitWords(text)) {
      const before = counts.get(word);
      counts.set(before === undefined ? ownCopy(word) : word, (before ?? 0) + 1);
    }
  };
  const trainedOn = createHash('sha256');
  for (const source of options.files ?? []) {
    trainedOn.update(hashTextSource(source));
    for (const pieces of readTextDocuments(source, { documents: 'file', field: options.field ?? 'text' })) {
      for (const piece of pieces) count(piece);
    }
  }
  for (const text of options.texts ?? []) {
    trainedOn.update(createHash('sha256').update(text).digest('hex'));
    count(text);
  }
  return { counts, trainedOn: trainedOn.digest('hex') };
}

/** Token bytes in id order, at most `numTokens` of them. */
function mergePairs(wordCounts: ReadonlyMap<string, number>, numTokens: number, minFrequency: number): Buffer[] {
  const tokens = Array.from({ length: 256 }, (_, byte) => Buffer.from([byte]));
  const idOfBytes = new Map(tokens.map((bytes, id) => [bytes.toString('latin1'), id]));
  const parts = createWordParts(wordCounts);
  const pairCounts = new Map<number, number>();
  const queue = createPairQueue();
  const apply = (changes: ReadonlyMap<number, number>): void => {
    for (const [key, change] of changes) {
      if (change === 0) continue;
      const count = (pairCounts.get(key) ?? 0) + change;
      if (count === 0) pairCounts.delete(key);
      else pairCounts.set(key, count);
      if (change > 0) queue.push(key, count);
    }
  };
  apply(parts.pairs());

  const report = startWork('merging pairs', numTokens, 'tokens');
  while (tokens.length < numTokens) {
    report(tokens.length);
    const top = queue.pop();
    if (top === undefined) break;
    const current = pairCounts.get(top.key) ?? 0;
    if (current !== top.count) {
      // A count that decreased is queued again with its current value; one that increased is already queued.
      if (current > 0 && current < top.count) queue.push(top.key, current);
      continue;
    }
    if (current < minFrequency) break;
    const [left, right] = pairOfKey(top.key);
    const bytes = Buffer.concat([tokens[left], tokens[right]]);
    // Two pairs can produce the same bytes ('a'+'bc', 'ab'+'c'); tokens are identified by their bytes, so they share an id.
    const spelling = bytes.toString('latin1');
    let merged = idOfBytes.get(spelling);
    if (merged === undefined) {
      merged = tokens.push(bytes) - 1;
      idOfBytes.set(spelling, merged);
    }
    apply(parts.merge(left, right, merged));
  }
  return tokens;
}
