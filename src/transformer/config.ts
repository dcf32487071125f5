import { z } from 'zod';
import { TokenFormerConfig } from '#src/tokenformer';

const { dModel, numLayers, numHeads, gelu, rotaryShare, rotaryBase } = TokenFormerConfig.shape;

/** The shape of a stack of standard Transformer blocks: what a TokenFormer is compared with. */
export const TransformerConfig = z
  .strictObject({
    kind: z.literal('transformer'),
    dModel,
    numLayers,
    numHeads,
    mlpHidden: z.int().positive().optional().describe('hidden units of the MLP; 4 · dModel unless given'),
    gelu,
    rotaryShare,
    rotaryBase,
  })
  .superRefine((config, context) => {
    if (config.dModel % config.numHeads === 0) return;
    const message = `expected a divisor of dModel ${config.dModel}, got ${config.numHeads}`;
    context.addIssue({ code: 'custom', path: ['numHeads'], message });
  })
  .describe('standard Transformer blocks, the baseline: pre-norm, GELU MLP, no biases; they cannot be merged');

export type TransformerConfig = z.output<typeof TransformerConfig>;

/** Hidden units of the MLP of each block. */
export function mlpHidden({ dModel: width, mlpHidden: given }: TransformerConfig): number {
  return given ?? 4 * width;
}
