import type { tf } from '#src/engine';
import { hasFastKernel, requireResult, runFastKernel } from '../fastKernel.js';
import { fusedOp } from '../fusedOp.js';
import { linearCrossEntropyReference } from './reference.js';

export { linearCrossEntropyReference } from './reference.js';

/** Which gradients the caller will ask for; what is not wanted is not computed. */
export interface LinearCrossEntropyGradients {
  readonly states: boolean;
  readonly embedding: boolean;
}

/**
 * Weighted cross-entropy, in nats, of logits that are products with an embedding and never stored whole:
 *
 *   loss_t = w_t ( log Σ_c exp(s_t·e_c) − s_t·e_label ),   p_t = softmax(s_t Eᵀ)
 *   ds_t = w_t dloss_t (p_t − onehot_t) E,   dE = Σ_t w_t dloss_t (p_t − onehot_t)ᵀ s_t
 *
 * Kernels: `LinearCrossEntropy`, which also gives the wanted gradients of the losses' sum while it has the logits, and
 * `LinearCrossEntropyGrad`, which makes them those of any dLosses. Without them the reference is differentiated.
 *
 * @param states [rows, dModel]
 * @param embedding [vocabSize, dModel]
 * @param labels [rows], int32, in [0, vocabSize); where the weight is 0 any number
 * @param weights [rows]; rows of weight 0 cost nothing
 * @returns [rows]
 * @throws Error when shapes disagree
 */
export function linearCrossEntropy(
  states: tf.Tensor2D,
  embedding: tf.Tensor2D,
  labels: tf.Tensor1D,
  weights: tf.Tensor1D,
  want: LinearCrossEntropyGradients = { states: true, embedding: true },
): tf.Tensor1D {
  const [rows, dModel] = states.shape;
  if (embedding.shape[1] !== dModel || labels.shape[0] !== rows || weights.shape[0] !== rows) {
    throw new Error(
      `linearCrossEntropy: expected states [rows, dModel], embedding [vocabSize, dModel], labels and weights [rows]; got states [${states.shape}], embedding [${embedding.shape}], labels [${labels.shape}], weights [${weights.shape}]`,
    );
  }
  const wanted = { wantStates: want.states, wantEmbedding: want.embedding };
  if (!hasFastKernel('LinearCrossEntropy', wanted)) {
    return linearCrossEntropyReference(states, embedding, labels, weights);
  }
  const inputs = { states, embedding, labels, weights };
  return fusedOp({
    inputs: [states, embedding],
    wanted: [want.states, want.embedding],
    forward: (recording) => {
      const attributes = recording ? wanted : { wantStates: false, wantEmbedding: false };
      const [losses, ...gradients] = requireResult(runFastKernel('LinearCrossEntropy', inputs, attributes));
      return { output: losses, saved: [...Object.values(inputs), ...gradients] };
    },
    backward: (dLosses, saved) => {
      const [savedStates, savedEmbedding, savedLabels, savedWeights, ...gradients] = saved;
      const operands = {
        ...{ states: savedStates, embedding: savedEmbedding, labels: savedLabels, weights: savedWeights },
        ...{
          dStates: want.states ? gradients[0] : undefined,
          dEmbedding: want.embedding ? gradients.at(-1) : undefined,
        },
      };
      return requireResult(runFastKernel('LinearCrossEntropyGrad', { dLosses, ...operands }, {}));
    },
  }) as tf.Tensor1D;
}
