import { z } from 'zod';
import { LanguageTuning } from '#language';
import { AppendedGroup } from '#src/tokenformer';
import { TrainingConfig } from '#src/training';
import { VisionTuning } from '#vision';

const { name, query, key, value, output, ffn } = AppendedGroup.shape;

const layerTokens = z
  .strictObject({ query, key, value, output, ffn })
  .refine((tokens) => Object.values(tokens).some((n) => n > 0), 'expected parameter tokens in a layer, got none');

const TunedGroup = z
  .strictObject({
    name: name.describe('its name in models and files; a model takes one group of a name'),
    tokens: z
      .union([z.int().positive(), layerTokens])
      .describe(
        'parameter tokens in each layer of every block, the rank with lora; { query, key, value, output, ffn } where they differ',
      ),
  })
  .describe('the group that is trained; with tokens and lora');

/** An experiment file that tunes a backbone for a task; paths start at the working root. */
export const TuneExperiment = z
  .strictObject({
    kind: z.literal('tune'),
    name: z.string().min(1).describe('name of the run, and of its folder under --root'),
    seed: z.int().default(0).describe('draws the group and the order of the data'),
    model: z
      .string()
      .min(1)
      .describe('the backbone to tune: its run folder or checkpoint, from --root; it stays as it is'),
    method: z
      .enum(['tokens', 'lora', 'full'])
      .default('tokens')
      .describe(
        'tokens: a group of parameter tokens beside the frozen backbone; lora: a low-rank linear map beside each of its layers, ' +
          'of as many parameters; full: all parameters of a copy',
      ),
    group: TunedGroup.optional(),
    language: LanguageTuning.optional().describe('what a language backbone is tuned on; give this or vision'),
    vision: VisionTuning.optional().describe('what a vision backbone is tuned on, with a head of its own'),
    training: TrainingConfig,
  })
  .superRefine((tune, context) => {
    const problem = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (tune.language && tune.vision) problem('vision', 'expected language or vision, got both; leave one out');
    if (!tune.language && !tune.vision) problem('language', 'expected language or vision with data, got neither');
    if (tune.method === 'full' && tune.group) {
      problem('group', 'has no effect with method full, which trains all parameters; leave it out');
    }
    if (tune.method !== 'full' && !tune.group)
      problem('group', `expected a group to train by method ${tune.method}, got none`);
  });
export type TuneExperiment = z.output<typeof TuneExperiment>;

/** The group that an experiment trains; undefined where all parameters are trained. */
export function tunedGroup({ method, group }: TuneExperiment): AppendedGroup | undefined {
  if (group === undefined) return undefined;
  const { tokens: n } = group;
  const tokens = typeof n === 'number' ? { query: n, key: n, value: n, output: n, ffn: n } : n;
  return { name: group.name, ...tokens, ...(method === 'lora' && { kind: 'linear' }) };
}
