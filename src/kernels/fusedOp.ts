import { tf } from '#src/engine';

/** A fused operation with a closed-form gradient; `forward` and `backward` run outside the tape. */
export interface FusedOp {
  readonly inputs: readonly tf.Tensor[];
  /** Which inputs are to be differentiated; the others cost nothing in the backward pass. */
  readonly wanted: readonly boolean[];
  forward(): { output: tf.Tensor; saved: readonly tf.Tensor[] };
  /** Gradients of the wanted inputs, in their order. */
  backward(dOutput: tf.Tensor, saved: readonly tf.Tensor[]): tf.Tensor[];
}

/**
 * Runs a fused operation on the tape. TensorFlow.js differentiates every input of an operation it records, so inputs
 * whose gradient nobody wants (frozen backbones) are kept off the record instead.
 */
export function fusedOp({ inputs, wanted, forward, backward }: FusedOp): tf.Tensor {
  const differentiated = inputs.filter((_, i) => wanted[i]);
  if (differentiated.length === 0) return tf.tidy(() => forward().output);
  const differentiable = tf.customGrad((...args) => {
    const save = args.at(-1) as tf.GradSaveFunc;
    const { output, saved } = forward();
    save([...saved]);
    return {
      value: output,
      gradFunc: (dOutput, savedTensors) => backward(dOutput, savedTensors as unknown as tf.Tensor[]),
    };
  });
  return differentiable(...(differentiated as tf.Tensor[]));
}

/** Runs the current engine's kernel of that name, or undefined when it has none. */
export function runFastKernel(
  name: string,
  inputs: Record<string, tf.Tensor>,
  attributes: Record<string, unknown>,
): tf.Tensor[] | undefined {
  if (tf.getKernel(name, tf.getBackend()) == null) return undefined;
  const result = tf
    .engine()
    .runKernel(
      name,
      inputs as tf.NamedTensorMap,
      attributes as Parameters<ReturnType<typeof tf.engine>['runKernel']>[2],
    );
  return (Array.isArray(result) ? result : [result]) as tf.Tensor[];
}
