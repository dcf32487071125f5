import { z } from 'zod';
import { formerKeys } from '#src/config';
import { StackConfig } from '#src/stacks';
import { TokenFormerConfig } from '#src/tokenformer';
import { InitFromSmaller, TrainingConfig } from '#src/training';
import { LanguageDataConfig } from './data/index.js';
import { ObjectiveConfig } from './objectives/index.js';
import { TokenizerConfig } from './tokenizer/index.js';

const LanguageModel = formerKeys(
  z.strictObject({
    stack: StackConfig,
    embeddingStd: z
      .number()
      .positive()
      .default(0.02)
      .describe('standard deviation of the token embedding at the start; 0.02 in the official code'),
  }),
  // A stack's keys once stood in `model` itself.
  Object.fromEntries(Object.keys(TokenFormerConfig.shape).map((key) => [key, `stack.${key}`])),
);

/** An experiment file that pretrains a language backbone; paths start at the working root. */
export const LanguageExperiment = formerKeys(
  z.strictObject({
    kind: z.literal('language'),
    name: z.string().min(1).describe('name of the run, and of its folder under --root'),
    seed: z.int().default(0).describe('draws the parameters and the order of the text'),
    model: LanguageModel.describe('the backbone; the output is tied to the token embedding'),
    tokenizer: TokenizerConfig.describe('how text becomes token ids'),
    data: LanguageDataConfig.describe('the text, and how it is cut into sequences'),
    objective: ObjectiveConfig.optional().describe('what is learned; next-token prediction unless given'),
    initFrom: InitFromSmaller.optional(),
    training: TrainingConfig,
  }),
  { embeddingStd: 'model.embeddingStd', evaluationBatches: 'data.maxValidationBatches' },
);
export type LanguageExperiment = z.output<typeof LanguageExperiment>;
