import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  openTextDataset,
  TextDataConfig,
  type TextDataset,
  type TextDatasetOptions,
} from '../../../language/data/index.js';
import type { Tokenizer } from '../../../language/tokenizer/index.js';

/** One id per UTF-8 byte and 256 for end of text: what a test expects can be read off the text. */
export const byteTokenizer: Tokenizer = {
  name: 'bytes',
  vocabSize: 257,
  endOfTextId: 256,
  fingerprint: 'bytes',
  encode: (text) => Int32Array.from(Buffer.from(text)),
  decode: (ids) => Buffer.from(Array.from(ids)).toString(),
  dispose: () => {},
};

export interface TextFolder {
  readonly path: string;
  write(name: string, content: string | Uint8Array): string;
  open(config: unknown, options?: Partial<TextDatasetOptions>, tokenizer?: Tokenizer): TextDataset;
  remove(): void;
}

/** A temporary folder with texts and a cache; datasets opened in it are closed with it. */
export function textFolder(): TextFolder {
  const path = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
  const opened: TextDataset[] = [];
  return {
    path,
    write: (name, content) => {
      writeFileSync(join(path, name), content);
      return join(path, name);
    },
    open: (config, options = {}, tokenizer = byteTokenizer) => {
      const dataset = openTextDataset(TextDataConfig.parse(config), tokenizer, {
        cacheDir: join(path, 'cache'),
        baseDir: path,
        seed: 1,
        ...options,
      });
      opened.push(dataset);
      return dataset;
    },
    remove: () => {
      for (const dataset of opened) dataset.dispose();
      rmSync(path, { recursive: true });
    },
  };
}
