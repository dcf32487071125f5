import { resolve } from 'node:path';
import { ConfigError, UserError } from '#src/errors';
import type { Tokenizer } from '../tokenizer/index.js';
import { openPackedText, type PackedText } from './packedText.js';
import { type TextBatch, textBatch } from './textBatch.js';
import type { TextDataConfig } from './textDataConfig.js';
import { documentSpans, orderedWindowSpans, type Span, type TextSpans, windowSpans } from './textSpans.js';

/** How much text a part of a dataset holds. */
export interface TextPart {
  /** Tokens, the end-of-text ids between documents among them. */
  readonly numTokens: number;
  readonly numDocuments: number;
  /** Sequences, for training those of one epoch. */
  readonly size: number;
  /** Documents that layout `documents` cuts at seqLen; 0 when packed. */
  readonly numTruncated: number;
}

export interface TextDataset extends TextPart {
  readonly layout: TextDataConfig['layout'];
  readonly seqLen: number;
  /** The text kept out of training, when the config sets some aside. */
  readonly validation: TextPart | undefined;
  /** The folders in the cache, and whether each was there already. */
  readonly caches: readonly { readonly folder: string; readonly reused: boolean }[];
  /** The tokens of the index-th sequence of an epoch: 2 to seqLen + 1, the last one only a label. */
  sequence(epoch: number, index: number): Int32Array;
  /**
   * The batch of a training step: sequences [step · batchSize, (step + 1) · batchSize) of epoch after shuffled epoch. It depends
   * on (seed, step, batchSize) and on nothing drawn before, so a resumed run needs the step number alone.
   */
  batchAt(step: number, batchSize: number): TextBatch;
  /**
   * The validation sequences once, in order, in batches of batchSize (the last may be smaller).
   *
   * @param limit at most this many batches
   * @throws ConfigError when no text is set aside
   */
  validationBatches(batchSize: number, limit?: number): Iterable<TextBatch>;
  dispose(): void;
}

export interface TextDatasetOptions {
  /** Where packed token files are kept. */
  readonly cacheDir: string;
  /** The folder that the config's paths are relative to. */
  readonly baseDir: string;
  /** Decides the order of sequences and where windows start. */
  readonly seed: number;
}

/**
 * Opens text for causal language modelling, tokenizing it first unless the cache has it.
 *
 * @throws UserError for files missing, malformed or empty, text too short for seqLen, validation text that is trained on
 */
export function openTextDataset(
  config: TextDataConfig,
  tokenizer: Tokenizer,
  options: TextDatasetOptions,
): TextDataset {
  const { layout, seqLen } = config;
  const settings = { documents: config.documents, field: config.field ?? 'text' };
  const opened: PackedText[] = [];
  const open = (files: readonly string[]): PackedText => {
    const paths = files.map((file) => resolve(options.baseDir, file));
    const packed = openPackedText(paths, settings, tokenizer, options.cacheDir);
    opened.push(packed);
    return packed;
  };
  const dispose = (): void => {
    for (const packed of opened.splice(0)) packed.dispose();
  };
  try {
    const packed = open(config.files);
    const [trainingRange, validationRange] = splitRanges(packed, config);
    const training = openPart(packed, trainingRange, config, options.seed);
    const apart = config.validationFiles === undefined ? undefined : open(config.validationFiles);
    if (apart !== undefined) refuseOverlap(config, packed, apart);
    const validation =
      apart !== undefined
        ? openPart(apart, wholeRange(apart, layout), config)
        : validationRange && openPart(packed, validationRange, config);

    const { size } = training;
    const batch = (rows: readonly Int32Array[]): TextBatch => {
      const longest = rows.reduce((length, row) => Math.max(length, row.length - 1), 1);
      // Rounding up keeps the number of distinct shapes, and so of compiled programs, small.
      const width = layout === 'packed' ? seqLen : Math.min(seqLen, Math.ceil(longest / 8) * 8);
      return textBatch(rows, width, tokenizer.endOfTextId);
    };
    return {
      layout,
      seqLen,
      ...training.summary,
      validation: validation?.summary,
      caches: opened.map(({ folder, reused }) => ({ folder, reused })),
      sequence: training.sequence,
      batchAt: (step, batchSize) =>
        batch(
          Array.from({ length: batchSize }, (_, i) => {
            const position = step * batchSize + i;
            return training.sequence(Math.floor(position / size), position % size);
          }),
        ),
      validationBatches: (batchSize, limit = Number.POSITIVE_INFINITY) => {
        if (validation === undefined) {
          throw new ConfigError('data: expected validation text, got none; set validationFiles or validationShare');
        }
        return (function* () {
          const end = Math.min(validation.size, limit * batchSize);
          for (let start = 0; start < end; start += batchSize) {
            const count = Math.min(batchSize, end - start);
            yield batch(Array.from({ length: count }, (_, i) => validation.sequence(0, start + i)));
          }
        })();
      },
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The whole stream: a range of tokens when packed, of documents otherwise. */
function wholeRange(packed: PackedText, layout: TextDataConfig['layout']): Span {
  return { start: 0, end: layout === 'packed' ? packed.numTokens : packed.numDocuments };
}

/** Training range and, when a share is kept for validation, the range of that share. */
function splitRanges(packed: PackedText, config: TextDataConfig): [Span, Span | undefined] {
  const whole = wholeRange(packed, config.layout);
  if (config.validationShare === undefined) return [whole, undefined];
  const unit = config.layout === 'packed' ? 'tokens' : 'documents';
  // A validation part can be scored when it has 2 tokens (one prediction) or one document.
  const least = config.layout === 'packed' ? 2 : 1;
  const count = Math.max(least, Math.round(whole.end * config.validationShare));
  const cut = whole.end - count;
  if (cut < least) {
    throw new UserError(
      `validationShare ${config.validationShare}: expected text left to train on, got ${whole.end} ${unit} in all; ` +
        'lower it or add text',
    );
  }
  return [
    { start: 0, end: cut },
    { start: cut, end: whole.end },
  ];
}

/** @param seed shuffles; a part without one is read in order, for evaluation. */
function openPart(packed: PackedText, range: Span, config: TextDataConfig, seed?: number) {
  const { seqLen, layout, files } = config;
  const { documentStarts: starts, numDocuments } = packed;
  let spans: TextSpans;
  let summary: Omit<TextPart, 'size'>;
  if (layout === 'packed') {
    spans = seed === undefined ? orderedWindowSpans(range, seqLen) : windowSpans(range, seqLen, seed);
    const numTokens = range.end - range.start;
    if (spans.size === 0) {
      throw new UserError(
        `${files.join(', ')}: text too short for seqLen ${seqLen}: expected at least ${seqLen + 1} tokens to train on, ` +
          `got ${numTokens}; add text or lower seqLen`,
      );
    }
    const inside = starts.subarray(0, numDocuments).filter((start) => start >= range.start && start < range.end);
    summary = { numTokens, numDocuments: inside.length, numTruncated: 0 };
  } else {
    spans = documentSpans(starts, range, seqLen, seed);
    let numTruncated = 0;
    for (let i = range.start; i < range.end; i++) if (starts[i + 1] - starts[i] > seqLen) numTruncated++;
    const numTokens = starts[range.end] - starts[range.start] + 1;
    summary = { numTokens, numDocuments: range.end - range.start, numTruncated };
  }
  const { size } = spans;
  return {
    size,
    summary: { ...summary, size },
    sequence: (epoch: number, index: number): Int32Array => {
      const { start, end } = spans.at(epoch, index);
      return packed.read(start, end);
    },
  };
}

/** A file cannot be both trained on and validated on: the perplexity would be that of known text. */
function refuseOverlap(config: TextDataConfig, training: PackedText, validation: PackedText): void {
  for (const [i, hash] of validation.fileHashes.entries()) {
    const same = training.fileHashes.indexOf(hash);
    if (same === -1) continue;
    const name = config.validationFiles?.[i];
    throw new UserError(
      `validationFiles: expected text that is not trained on, got ${name}, the same as ${config.files[same]}`,
    );
  }
}
