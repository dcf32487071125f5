import { trainTokenizerFile } from './internal/tokenizer.js';

/** What a tokenizer is trained on. */
export interface TokenizerTraining {
  /** Text files, or JSONL files with the field `text`. */
  readonly files?: readonly string[];
  /** Texts themselves. */
  readonly texts?: readonly string[];
  /** Tokens wanted, at least 257: the 256 bytes, the end of text, and merges. */
  readonly vocabSize: number;
}

/**
 * Trains a byte-level BPE tokenizer and writes it to `path`.
 *
 * @returns its vocabulary size; below the one asked for when no further pair of tokens occurs twice
 * @throws ConfigError for a vocabulary size below 257
 * @throws UserError when a file cannot be read, or there is no text
 * @example
 * ```ts
 * trainTokenizer({ files: ['captions.txt'], vocabSize: 512 }, 'runs/tokenizer.json');
 * ```
 */
export function trainTokenizer(training: TokenizerTraining, path: string): number {
  return trainTokenizerFile(training, path);
}
