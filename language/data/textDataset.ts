import { ConfigError, UserError } from '#src/errors';
import { resolveTextSource, type TextSource, type Tokenizer, textSourceName } from '../tokenizer/index.js';
import { openPackedText, type PackedText } from './packedText.js';
import { type TextBatch, textBatch } from './textBatch.js';
import type { TextDataConfig } from './textDataConfig.js';
import { documentSpans, joinedSegments, orderedWindowSpans, type TextSpans, windowSpans } from './textSpans.js';
import { splitText, type TextSelection, wholeText } from './textSplit.js';

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
  const open = (files: readonly TextSource[]): PackedText => {
    const paths = files.map((file) => resolveTextSource(file, options.baseDir));
    const packed = openPackedText(paths, settings, tokenizer, options.cacheDir);
    opened.push(packed);
    return packed;
  };
  const dispose = (): void => {
    for (const packed of opened.splice(0)) packed.dispose();
  };
  try {
    const packed = open(config.files);
    const parts = config.validationShare === undefined ? { training: wholeText(packed) } : splitText(packed, config);
    const training = openPart(packed, parts.training, config, options.seed);
    const apart = config.validationFiles === undefined ? undefined : open(config.validationFiles);
    if (apart !== undefined) refuseOverlap(config, packed, apart);
    const validation =
      apart !== undefined
        ? openPart(apart, wholeText(apart), config)
        : 'validation' in parts
          ? openPart(packed, parts.validation, config)
          : undefined;

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

/** @param seed shuffles; a part without one is read in order, for evaluation. */
function openPart(
  packed: PackedText,
  { segments, documents, mixed }: TextSelection,
  config: TextDataConfig,
  seed?: number,
) {
  const { seqLen, layout, files } = config;
  const { documentStarts: starts } = packed;
  if (layout === 'documents') {
    const spans = documentSpans(starts, documents, seqLen, seed);
    let [numTokens, numTruncated] = [1, 0];
    for (const document of documents) {
      const length = starts[document + 1] - starts[document];
      numTokens += length;
      if (length > seqLen) numTruncated++;
    }
    return partOf(spans, packed.read, { numTokens, numDocuments: documents.length, numTruncated });
  }
  const stream = joinedSegments(segments, packed.read);
  const range = { start: 0, end: stream.numTokens };
  const spans = seed === undefined ? orderedWindowSpans(range, seqLen, mixed) : windowSpans(range, seqLen, seed);
  if (spans.size === 0) {
    throw new UserError(
      `${files.map(textSourceName).join(', ')}: text too short for seqLen ${seqLen}: expected at least ${seqLen + 1} tokens to train on, ` +
        `got ${stream.numTokens}; add text or lower seqLen`,
    );
  }
  return partOf(spans, stream.read, {
    numTokens: stream.numTokens,
    numDocuments: documents.length,
    numTruncated: 0,
  });
}

function partOf(spans: TextSpans, read: PackedText['read'], counts: Omit<TextPart, 'size'>) {
  return {
    size: spans.size,
    summary: { ...counts, size: spans.size },
    sequence: (epoch: number, index: number): Int32Array => {
      const { start, end } = spans.at(epoch, index);
      return read(start, end);
    },
  };
}

/** A file cannot be both trained on and validated on: the perplexity would be that of known text. */
function refuseOverlap(config: TextDataConfig, training: PackedText, validation: PackedText): void {
  for (const [i, hash] of validation.fileHashes.entries()) {
    const same = training.fileHashes.indexOf(hash);
    if (same === -1) continue;
    const name = textSourceName((config.validationFiles ?? [])[i]);
    throw new UserError(
      `validationFiles: expected text that is not trained on, got ${name}, the same as ${textSourceName(config.files[same])}`,
    );
  }
}
