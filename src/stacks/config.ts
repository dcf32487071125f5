import { z } from 'zod';
import { TokenFormerConfig } from '#src/tokenformer';
import { TransformerConfig } from '#src/transformer';

/** The blocks of a backbone: a TokenFormer's, or those of the standard Transformer that it is compared with. */
export const StackConfig = z
  .discriminatedUnion('kind', [
    TokenFormerConfig.safeExtend({
      kind: z.literal('tokenformer').optional().describe('may be left out'),
    }).describe('TokenFormer blocks: also what a stack without a kind has'),
    TransformerConfig,
  ])
  .describe('the blocks');
export type StackConfig = z.output<typeof StackConfig>;

/** The blocks of a backbone that must be a TokenFormer's: one to merge, to grow by tokens, to tune by groups. */
export const TokenFormerStack = StackConfig.transform((stack, context): TokenFormerConfig => {
  if (stack.kind !== 'transformer') return stack;
  const message = 'expected the blocks of a TokenFormer, got a standard Transformer, which has no parameter tokens';
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});
