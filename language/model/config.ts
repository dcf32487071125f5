import { z } from 'zod';
import { TokenFormerConfig } from '#src/tokenformer';

/** A language TokenFormer: a stack over token embeddings, with the output tied to the embedding. */
export const LanguageConfig = z.strictObject({
  vocabSize: z.int().positive(),
  /** Longest sequence it was trained on; rotary positions extend further, untested. */
  seqLen: z.int().positive(),
  stack: TokenFormerConfig,
});

export type LanguageConfig = z.output<typeof LanguageConfig>;
