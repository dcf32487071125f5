import { z } from 'zod';
import { renamedKey } from '#src/config';
import { AnyLanguageConfig, LanguageConfig } from './model/config.js';
import { TokenizerConfig } from './tokenizer/index.js';

/** Description of a language checkpoint; a `bpe` tokenizer is next to it as `tokenizer.json`. */
const modelConfig = <Backbone extends z.ZodType>(backbone: Backbone) =>
  renamedKey(
    'language',
    'backbone',
    z.strictObject({ backbone, tokenizer: TokenizerConfig, tokenizerFingerprint: z.string() }),
  );

/** Of a language TokenFormer. */
export const LanguageModelConfig = modelConfig(LanguageConfig);
export type LanguageModelConfig = z.output<typeof LanguageModelConfig>;

/** Of any language backbone. */
export const AnyLanguageModelConfig = modelConfig(AnyLanguageConfig);
export type AnyLanguageModelConfig = z.output<typeof AnyLanguageModelConfig>;

/** Name of the tokenizer file inside a checkpoint. */
export const TOKENIZER_FILE = 'tokenizer.json';
