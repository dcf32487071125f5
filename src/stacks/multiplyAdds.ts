import { LAYER_NAMES, stackGroups } from '#src/tokenformer';
import { transformerParameters } from '#src/transformer';
import type { StackConfig } from './config.js';

/** A training step costs three times its forward pass: the gradient needs two products for each of the forward pass. */
const TRAINING_PASSES = 3;

/** Floating-point operations of a training step whose forward pass has so many multiplications with an addition. */
export function trainingFlops(multiplyAdds: number): number {
  return TRAINING_PASSES * forwardFlops(multiplyAdds);
}

/** Floating-point operations of a forward pass of which no gradient is taken. */
export function forwardFlops(multiplyAdds: number): number {
  return 2 * multiplyAdds;
}

/**
 * Multiplications with an addition in the products of a stack's forward pass over one sequence: every weight once a token, and
 *
 *   2 dModel · pairs      for scores and their sums, in every block
 *
 * with length² pairs of tokens, or length (length + 1) / 2 under a causal mask. Norms, activations and rotations are left out, as is
 * usual.
 */
export function stackMultiplyAdds(config: StackConfig, length: number, mask: 'full' | 'causal'): number {
  const pairs = mask === 'full' ? length ** 2 : (length * (length + 1)) / 2;
  return length * stackWeights(config) + config.numLayers * 2 * config.dModel * pairs;
}

/** Weights of the blocks that a token meets: all. */
function stackWeights(config: StackConfig): number {
  if (config.kind === 'transformer') return transformerParameters(config);
  const tokens = stackGroups(config, '').flatMap(({ paramTokens }) => LAYER_NAMES.map((layer) => paramTokens[layer]));
  return config.numLayers * 2 * config.dModel * tokens.reduce((sum, n) => sum + n, 0);
}
