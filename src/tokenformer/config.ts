import { z } from 'zod';
import { normActivationNames } from '#src/kernels';

const count = z.int().positive();

/** Far more than anybody trains; a file that asks for more must not take up all memory. */
const MAX_LAYERS = 10_000;

/** Looked up at parse time, since a Θ may be registered until then. */
const NormActivationName = z.string().superRefine((name, context) => {
  const names = normActivationNames();
  if (!names.includes(name)) context.addIssue({ code: 'invalid_value', values: names, input: name });
});

/** The shape and the mathematics of a stack of TokenFormer blocks; the YAML keys are these names. */
export const TokenFormerConfig = z
  .strictObject({
    dModel: count.describe('width of the residual stream'),
    numLayers: count.max(MAX_LAYERS).describe('number of blocks'),
    numHeads: count.describe('heads of token-token attention; divides dModel'),
    qkvParamTokens: count.describe('parameter tokens of each of query, key and value'),
    outputParamTokens: count.describe('parameter tokens of the attention output'),
    ffnParamTokens: count.describe('parameter tokens of the feed-forward Pattention'),
    normActivation: NormActivationName.default('l2NormGelu').describe(
      'Θ, how scores become weights: l2NormGelu, geluL2Norm, softmax or a registered one',
    ),
    gelu: z.enum(['erf', 'tanh']).default('erf').describe('the exact GELU, or its tanh approximation'),
    normEpsilon: z
      .number()
      .min(0)
      .default(1e-5)
      .describe('added to the norm of the scores; 0 in the official GPU code'),
    rotaryShare: z.number().min(0).max(1).default(0).describe('share of each head that carries rotary positions'),
    rotaryBase: z.number().positive().default(10_000).describe('base of the rotary wavelengths'),
  })
  .superRefine((config, context) => {
    if (config.dModel % config.numHeads !== 0) {
      context.addIssue({
        code: 'custom',
        path: ['numHeads'],
        message: `expected a divisor of dModel ${config.dModel}, got ${config.numHeads}`,
      });
    }
  })
  .describe('the TokenFormer blocks');

export type TokenFormerConfig = z.output<typeof TokenFormerConfig>;

/** Dimensions of a head that rotary positions rotate: int(share · headDim), as the official code rounds it; even. */
export function rotaryDims({ dModel, numHeads, rotaryShare }: TokenFormerConfig): number {
  const dims = Math.floor((dModel / numHeads) * rotaryShare);
  return dims - (dims % 2);
}
