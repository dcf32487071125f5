import type { tf } from '#src/engine';
import { createRandom } from '#src/random';
import type { HostTensor } from '#src/storage';
import { constantTensor, normalTensor, type ParameterTree } from '#src/tokenformer';
import { mlpHidden, type TransformerConfig } from './config.js';

/** The weights of a block, in the order of the pass. */
export const WEIGHT_NAMES = ['query', 'key', 'value', 'output', 'up', 'down'] as const;
export type WeightName = (typeof WEIGHT_NAMES)[number];

const WEIGHT_PATHS: Readonly<Record<WeightName, (group: string) => string>> = {
  query: (group) => `attention/query/${group}/weight`,
  key: (group) => `attention/key/${group}/weight`,
  value: (group) => `attention/value/${group}/weight`,
  output: (group) => `attention/output/${group}/weight`,
  up: (group) => `mlp/${group}/up`,
  down: (group) => `mlp/${group}/down`,
};

/** A weight on the engine, and whether it is trained. */
export interface Weight {
  readonly tensor: tf.Tensor2D;
  readonly trainable: boolean;
}

/**
 * The weights of one block. `query` … `output` are [dModel, dModel], applied as x W; `up` and `down` are
 * [mlpHidden, dModel], a row per hidden unit: what it reads, and what it writes.
 */
export type TransformerLayers = Readonly<Record<WeightName, Weight>>;

/** `block3/attention/query/language/weight` */
export function weightPath(blockIndex: number, name: WeightName, groupName: string): string {
  return `block${blockIndex}/${WEIGHT_PATHS[name](groupName)}`;
}

/**
 * New parameters of a stack: N(0, 0.02²), those that write to the residual stream (`output`, `down`) N(0, 0.02²/(2L)); final
 * norm 1 and 0. Source: GPT-2 (Radford et al. 2019, section 2.3), which divides by the root of the number of residual layers.
 */
export function createTransformer(groupName: string, config: TransformerConfig, seed: number): Map<string, HostTensor> {
  const { dModel, numLayers } = config;
  const tensors = new Map<string, HostTensor>();
  for (let l = 0; l < numLayers; l++) {
    for (const name of WEIGHT_NAMES) {
      const path = weightPath(l, name, groupName);
      const writes = name === 'output' || name === 'down';
      const std = writes ? 0.02 / Math.sqrt(2 * numLayers) : 0.02;
      tensors.set(path, normalTensor([rowsOf(name, config), dModel], std, createRandom(seed, 'init', path)));
    }
  }
  tensors.set(`${groupName}/finalNorm/scale`, constantTensor([dModel], 1));
  tensors.set(`${groupName}/finalNorm/bias`, constantTensor([dModel], 0));
  return tensors;
}

/** Rows of a weight; all have dModel columns. */
function rowsOf(name: WeightName, config: TransformerConfig): number {
  return name === 'up' || name === 'down' ? mlpHidden(config) : config.dModel;
}

/** The blocks of a stack as a tree holds them. */
export function transformerBlocks(
  tree: ParameterTree,
  { numLayers }: TransformerConfig,
  groupName: string,
): TransformerLayers[] {
  const read = (path: string): Weight => ({
    tensor: tree.variable(path) as tf.Tensor as tf.Tensor2D,
    trainable: tree.isTrainable(path),
  });
  return Array.from(
    { length: numLayers },
    (_, l) =>
      Object.fromEntries(
        WEIGHT_NAMES.map((name) => [name, read(weightPath(l, name, groupName))]),
      ) as unknown as TransformerLayers,
  );
}
