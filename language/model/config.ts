import { z } from 'zod';
import { StackConfig, TokenFormerStack } from '#src/stacks';

const shape = {
  vocabSize: z.int().positive(),
  /** Longest sequence it was trained on; rotary positions extend further, untested. */
  seqLen: z.int().positive(),
};

/** A language TokenFormer: a stack over token embeddings, with the output tied to the embedding. */
export const LanguageConfig = z.strictObject({ ...shape, stack: TokenFormerStack });
export type LanguageConfig = z.output<typeof LanguageConfig>;

/** A language backbone: a TokenFormer, or the standard Transformer that it is compared with. */
export const AnyLanguageConfig = z.strictObject({ ...shape, stack: StackConfig });
export type AnyLanguageConfig = z.output<typeof AnyLanguageConfig>;
