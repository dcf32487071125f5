import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTokenizer, type Tokenizer, trainBpe, writeBpeModel } from '../../../language/tokenizer/index.js';

/** A small BPE tokenizer that has been through its file. */
export function bpeTokenizer(texts: readonly string[], vocabSize: number): Tokenizer {
  const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
  try {
    writeBpeModel(join(folder, 'tokenizer.json'), trainBpe({ texts, vocabSize }));
    return loadTokenizer({ kind: 'bpe', path: 'tokenizer.json' }, { baseDir: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
