import { join } from 'node:path';
import {
  FusionConfig,
  type FusionInput,
  fusionParameters,
  type JointModel,
  loadJointModel,
  MergeRecipe,
  merge,
  planMerge,
} from '#fusion';
import { tf } from '#src/engine';
import { randomValues } from './randomValues.js';
import { type TinyBackboneOptions, writeTinyBackbones } from './tinyBackbones.js';

/** A recipe that joins the backbones of `writeTinyBackbones`, with four tokens in every bridge group. */
export function tinyRecipe(fusion: FusionInput = {}): MergeRecipe {
  const joined = FusionConfig.parse({ bridge: { tokens: 4 }, ...fusion });
  return MergeRecipe.parse({
    kind: 'merge',
    name: 'merged',
    seed: 3,
    vision: 'vision',
    language: 'language',
    fusion: joined,
  });
}

/** Merges the backbones in `folder` into `<folder>/<name>` and returns that path. */
export function mergeTiny(folder: string, fusion: FusionInput = {}, name = 'merged', language = 'language'): string {
  const { plan, problems } = planMerge({ ...tinyRecipe(fusion), language }, folder);
  if (plan === undefined) throw new Error(problems.join('\n'));
  merge(plan, join(folder, name));
  return join(folder, name);
}

/** A merged model of tiny backbones, fresh from the merge. */
export function tinyJointModel(
  folder: string,
  fusion: FusionInput = {},
  backbones: TinyBackboneOptions = {},
): JointModel {
  writeTinyBackbones(folder, backbones);
  return loadJointModel(mergeTiny(folder, fusion));
}

/** Gives every bridge value and gate a random number, as if an alignment had trained them hard. */
export function stirFusion({ tree, config }: JointModel, scale = 1): void {
  for (const name of tree.names().filter(fusionParameters(config))) {
    if (name.endsWith('/keyParamTokens')) continue;
    const { size, shape } = tree.variable(name);
    const value = tf.tensor(
      randomValues(size, 'stirred', name).map((x) => x * scale),
      shape,
    );
    tree.variable(name).assign(value);
    value.dispose();
  }
}

/** Pixels of `batch` images of 16 × 16, in [−1, 1], each its own noise. */
export function noisePixels(batch: number): tf.Tensor4D {
  const values = Array.from({ length: batch }, (_, i) => Array.from(randomValues(16 * 16 * 3, 'pixels', i)));
  return tf.tensor4d(values.flat().map(Math.tanh), [batch, 16, 16, 3]);
}

/** Token ids of one caption after another, all of equal length. [batch, seqLen] */
export function someTokenIds(batch: number, seqLen = 6): tf.Tensor2D {
  const ids = Int32Array.from({ length: batch * seqLen }, (_, i) => (i * 37 + 11) % 270);
  return tf.tensor2d(ids, [batch, seqLen], 'int32');
}
