import { z } from 'zod';
import { renamedKey } from '#src/config';
import { LanguageConfig } from './model/config.js';
import { TokenizerConfig } from './tokenizer/index.js';

/** Description of a language checkpoint; a `bpe` tokenizer is next to it as `tokenizer.json`. */
export const LanguageModelConfig = renamedKey(
  'language',
  'backbone',
  z.strictObject({
    backbone: LanguageConfig,
    tokenizer: TokenizerConfig,
    tokenizerFingerprint: z.string(),
  }),
);
export type LanguageModelConfig = z.output<typeof LanguageModelConfig>;

/** Name of the tokenizer file inside a checkpoint. */
export const TOKENIZER_FILE = 'tokenizer.json';
