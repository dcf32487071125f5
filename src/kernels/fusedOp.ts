import { tf } from '#src/engine';
import { isRecording } from './tape.js';

/** A fused operation with a closed-form gradient; `forward` and `backward` run outside the tape. */
export interface FusedOp {
  readonly inputs: readonly tf.Tensor[];
  /** Which inputs are to be differentiated; the others cost nothing in the backward pass. */
  readonly wanted: readonly boolean[];
  /** `recording`: a gradient may be asked for; otherwise nobody reads what is saved. */
  forward(recording: boolean): { output: tf.Tensor; saved: readonly tf.Tensor[] };
  /** Gradients of the wanted inputs, in their order. */
  backward(dOutput: tf.Tensor, saved: readonly tf.Tensor[]): tf.Tensor[];
}

/**
 * Runs a fused operation on the tape. TensorFlow.js differentiates every input of an operation it records, so inputs
 * whose gradient nobody wants (frozen backbones) are kept off the tape.
 */
export function fusedOp({ inputs, wanted, forward, backward }: FusedOp): tf.Tensor {
  const differentiated = inputs.filter((_, i) => wanted[i]);
  // Where nothing is recorded, going through customGrad would only cost time.
  if (differentiated.length === 0 || !isRecording()) return tf.tidy(() => forward(false).output);
  const differentiable = tf.customGrad((...args) => {
    const save = args.at(-1) as tf.GradSaveFunc;
    const { output, saved } = forward(true);
    save([...saved]);
    return {
      value: output,
      gradFunc: (dOutput, savedTensors) => backward(dOutput, savedTensors as unknown as tf.Tensor[]),
    };
  });
  return differentiable(...(differentiated as tf.Tensor[]));
}
