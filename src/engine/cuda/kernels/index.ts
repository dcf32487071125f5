import type { FusedKernelFunctions, KernelOrigins } from '../../shared/index.js';
import { registerKernels, tf } from '../../shared/index.js';
import { arithmeticKernels, castKernel, unaryWithAttributes } from './arithmeticKernels.js';
import { attentionKernels } from './attentionKernels.js';
import { blockKernels } from './blockKernels.js';
import type { KernelContext } from './context.js';
import { decodeKernels } from './decodeKernels.js';
import type { CUDA_FUSED_KERNELS } from './fusedKernels.js';
import { linearCrossEntropyKernels } from './linearCrossEntropyKernels.js';
import { matMulKernels } from './matMulKernels.js';
import { movementKernels } from './movementKernels.js';
import { optimizerKernels } from './optimizerKernels.js';
import { pattentionKernels } from './pattentionKernels.js';
import { recorded } from './recording.js';
import { reductionKernels, segmentSumKernel, stockRowKernels } from './reductionKernels.js';
import { rotaryKernel } from './rotaryKernel.js';
import { rowKernels } from './rowKernels.js';

const BACKEND = 'cuda';

const onCard = new Set<string>();

/** Registers the kernels of the card for the backend, and the cpu backend's for all that they leave out. */
export function installCudaKernels(context: KernelContext): void {
  const fused: FusedKernelFunctions<keyof typeof CUDA_FUSED_KERNELS> = {
    ...pattentionKernels(context),
    ...attentionKernels(context),
    ...rotaryKernel(context),
    ...recorded(context, blockKernels),
    ...decodeKernels(context),
    ...rowKernels(context),
    ...linearCrossEntropyKernels(context),
    ...optimizerKernels(context),
  };
  const compiled = {
    ...fused,
    ...matMulKernels(context),
    ...stockRowKernels(context),
    ...reductionKernels(context),
    ...segmentSumKernel(context),
    ...arithmeticKernels(context),
    ...unaryWithAttributes(context),
    ...castKernel(context),
    ...movementKernels(context),
  };
  for (const { kernelName } of tf.getKernelsForBackend(BACKEND)) tf.unregisterKernel(kernelName, BACKEND);
  registerKernels(BACKEND, compiled, (_name, _backend, run) => context.run(run));
  for (const name of Object.keys(compiled)) onCard.add(name);
  for (const config of tf.getKernelsForBackend('cpu')) {
    if (!(config.kernelName in compiled)) tf.registerKernel({ ...config, backendName: BACKEND });
  }
}

/** The kernels of the cuda backend; none before the first start. */
export function cudaKernels(): KernelOrigins {
  const names = tf.getKernelsForBackend(BACKEND).map(({ kernelName }) => kernelName);
  return {
    compiled: names.filter((name) => onCard.has(name)).sort(),
    javaScript: names.filter((name) => !onCard.has(name)).sort(),
  };
}

export { type Commands, createCommands } from './commands.js';
export { createKernelContext } from './context.js';
export { CUDA_FUSED_KERNELS, NORM_ACTIVATIONS } from './fusedKernels.js';
export { isNumbers, NUMBER_BYTES, type NumberType } from './numbers.js';
