import type { tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import {
  type BlockLayers,
  createStack,
  type KeyValueCache,
  type ParameterTree,
  runStack,
  type StackOptions,
  stackBlocks,
  type TokenFormerConfig,
} from '#src/tokenformer';
import { createTransformer, runTransformer, transformerBlocks } from '#src/transformer';
import type { StackConfig } from './config.js';

/**
 * Blocks with their parameters, ready to run: x [batch, seqLen, dModel] → hidden states of that shape, before the final norm,
 * and, where they are kept, the key-value caches of every block.
 */
export type Stack = (x: tf.Tensor3D, options: StackOptions) => { hidden: tf.Tensor3D; caches: KeyValueCache[] };

/** The stack of TokenFormer blocks such as a merged model puts together. */
export function tokenFormerStack(blocks: readonly BlockLayers[], config: TokenFormerConfig): Stack {
  return (x, options) => runStack(x, blocks, config, options);
}

/** The stack of a backbone on its own, as its tree holds it. */
export function openStack(tree: ParameterTree, config: StackConfig, groupName: string): Stack {
  if (config.kind !== 'transformer') return tokenFormerStack(stackBlocks(tree, config, groupName), config);
  const blocks = transformerBlocks(tree, config, groupName);
  return (x, options) => runTransformer(x, blocks, config, options);
}

/** New parameters of a stack, by name. */
export function createStackParameters(groupName: string, config: StackConfig, seed: number): Map<string, HostTensor> {
  return config.kind === 'transformer'
    ? createTransformer(groupName, config, seed)
    : createStack(groupName, config, seed);
}
