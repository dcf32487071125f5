import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import type { ParamTokenGroup } from '#src/tokenformer';

/** A bridge group as a training step uses it; `path` is that of its parameters. */
export type BridgeDropout = (group: ParamTokenGroup, path: string) => ParamTokenGroup;

/**
 * Dropout on the parameter tokens of bridge groups: each token of a group is left out of a micro-batch with probability `share`, and
 * the others count 1/(1 − share):
 *
 *   Y = Θ(x Kᵀ) diag(m) V        m_j = 0 or 1/(1 − share), E[m] = 1
 *
 * The mask is on the values, so that the norm over the scores stays that of the whole group, E[Y] is its output, and kernels take
 * the group like any other.
 *
 * @param index of the micro-batch; equal seeds and indices drop the same tokens
 */
export function bridgeDropout(share: number, seed: number, index: number): BridgeDropout {
  return (group, path) => {
    const random = createRandom(seed, 'bridgeDropout', index, path);
    const mask = Float32Array.from({ length: group.valueParamTokens.shape[0] }, () =>
      random.uniform() < share ? 0 : 1 / (1 - share),
    );
    const kept = tf.tensor2d(mask, [mask.length, 1]);
    return { ...group, valueParamTokens: tf.mul(group.valueParamTokens, kept) as tf.Tensor2D }; // [numParamTokens, dOut]
  };
}
