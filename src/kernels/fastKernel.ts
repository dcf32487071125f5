import {
  engineAtWork,
  type FusedKernel,
  type KernelAttributes,
  type KernelInputs,
  type KernelOutputs,
  tf,
} from '#src/engine';

/** Lines printed already, one for each thing an engine has no kernel for. */
const said = new Set<string>();

/**
 * Whether the current engine has a kernel of that name that takes a call with these attributes. What a kernel lacks is said
 * once on stderr: the reference takes its place, and is slower.
 */
export function hasFastKernel<Name extends FusedKernel>(name: Name, attributes: KernelAttributes<Name>): boolean {
  if (tf.getKernel(name, tf.getBackend()) == null) return false;
  const engine = engineAtWork();
  const support = engine?.fusedKernels[name]?.supports?.(attributes) ?? true;
  if (typeof support === 'boolean') return support;
  const line = `engine ${engine?.name} has no kernel for ${support.lacks}: it runs by reference, slower`;
  if (!said.has(line)) console.warn(line);
  said.add(line);
  return false;
}

/** Runs the current engine's kernel; undefined where it has none that takes the call. */
export function runFastKernel<Name extends FusedKernel>(
  name: Name,
  inputs: KernelInputs<Name, tf.Tensor>,
  attributes: KernelAttributes<Name>,
): KernelOutputs<Name, tf.Tensor> | undefined {
  if (!hasFastKernel(name, attributes)) return undefined;
  // The tape rejects names without a tensor.
  const given = Object.fromEntries(Object.entries(inputs).filter(([, input]) => input !== undefined));
  // Only here does the contract meet TensorFlow.js, which passes inputs and attributes through.
  const results: tf.TensorInfo | tf.TensorInfo[] = tf
    .engine()
    .runKernel(name, given as tf.NamedTensorMap, attributes as unknown as tf.NamedAttrMap);
  return (Array.isArray(results) ? results : [results]) as KernelOutputs<Name, tf.Tensor>;
}

/** The outputs of a kernel that must be there, because another one of its operation has run or been asked about. */
export function requireResult<Outputs>(outputs: Outputs | undefined): Outputs {
  if (outputs === undefined) throw new Error('fused operation: expected kernels for both directions, got one alone');
  return outputs;
}
