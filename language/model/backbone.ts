import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import { createStackParameters, openStack, type Stack } from '#src/stacks';
import type { HostTensor } from '#src/storage';
import {
  type BlockLayers,
  finalNorm,
  normalTensor,
  type ParameterTree,
  type StackOptions,
  stackBlocks,
} from '#src/tokenformer';
import type { AnyLanguageConfig, LanguageConfig } from './config.js';

/** Name of the language groups in every layer, and of the language parameters outside of layers. */
export const LANGUAGE_GROUP = 'language';

const EMBEDDING = `${LANGUAGE_GROUP}/tokenEmbedding`;

/**
 * New parameters of a language backbone; the stack as `createStack` or `createTransformer`.
 *
 * @param embeddingStd of the embedding's normal distribution; 0.02 in the official GPU code. The output is tied to it, so
 *   in a narrow model it bounds how far logits can be apart: words that text alone gives no reason to tell apart (one
 *   colour from another) stay this close, and no bridge can then make the frozen output confident of one of them.
 */
export function createLanguageParameters(
  config: AnyLanguageConfig,
  seed: number,
  embeddingStd = 0.02,
): Map<string, HostTensor> {
  const random = createRandom(seed, 'init', EMBEDDING);
  return new Map([
    [EMBEDDING, normalTensor([config.vocabSize, config.stack.dModel], embeddingStd, random)],
    ...createStackParameters(LANGUAGE_GROUP, config.stack, seed),
  ]);
}

/** The backbone's stack on its own. */
export function languageStack(tree: ParameterTree, config: AnyLanguageConfig): Stack {
  return openStack(tree, config.stack, LANGUAGE_GROUP);
}

/** The blocks of a TokenFormer on its own: every layer holds the language group, and those appended to it. */
export function languageBlocks(tree: ParameterTree, config: LanguageConfig): BlockLayers[] {
  return stackBlocks(tree, config.stack, LANGUAGE_GROUP);
}

/** Options of a forward pass; `stack` is the backbone's own unless a merged model brings another. */
export interface LanguageForwardOptions extends Partial<Omit<StackOptions, 'mask'>> {
  readonly stack?: Stack;
}

/**
 * Final hidden states, after the parametric norm.
 *
 * @param tokenIds [batch, seqLen], int32
 * @returns hidden [batch · seqLen, dModel] and, where they are kept, the key-value caches of every block
 */
export function languageHidden(
  tree: ParameterTree,
  config: AnyLanguageConfig,
  tokenIds: tf.Tensor2D,
  { stack = languageStack(tree, config), ...options }: LanguageForwardOptions = {},
): { hidden: tf.Tensor2D; caches: ReturnType<Stack>['caches'] } {
  const embedded = tf.gather(tree.variable(EMBEDDING), tokenIds) as tf.Tensor3D; // [batch, seqLen, dModel]
  const { hidden, caches } = stack(embedded, { mask: { kind: 'causal' }, ...options });
  const flat = tf.reshape(hidden, [-1, config.stack.dModel]) as tf.Tensor2D; // [batch · seqLen, dModel]
  return { hidden: finalNorm(flat, tree, LANGUAGE_GROUP), caches };
}

/**
 * Says how many tokens the tokenizer has. Rows of the embedding beyond them, a vocabulary padded to a round number, are never
 * predicted: they have no logits and no share of a probability.
 */
export function useVocabulary(tree: ParameterTree, vocabSize: number): void {
  if (vocabSize < tree.variable(EMBEDDING).shape[0]) tree.useRows(EMBEDDING, vocabSize);
}

/** The token embedding, to which the output is tied. */
export function tokenEmbedding(tree: ParameterTree): {
  /** [vocabSize, dModel] */
  readonly embedding: tf.Tensor2D;
  readonly trainable: boolean;
} {
  const all = tree.variable(EMBEDDING) as tf.Tensor as tf.Tensor2D;
  const used = tree.rowsInUse(EMBEDDING);
  const embedding = used < all.shape[0] ? tf.slice(all, [0, 0], [used, -1]) : all;
  return { embedding, trainable: tree.isTrainable(EMBEDDING) };
}

/**
 * Logits over the vocabulary, tied to the embedding: hidden · Eᵀ.
 *
 * @param hidden [rows, dModel]
 * @returns [rows, vocabSize]
 */
export function languageLogits(tree: ParameterTree, hidden: tf.Tensor2D): tf.Tensor2D {
  const all = tf.matMul(hidden, tree.variable(EMBEDDING) as tf.Tensor as tf.Tensor2D, false, true) as tf.Tensor2D;
  const used = tree.rowsInUse(EMBEDDING);
  return used < all.shape[1] ? tf.slice(all, [0, 0], [-1, used]) : all;
}
