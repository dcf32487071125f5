import type { FusedKernelFunctions, KernelOrigins } from '../../shared/index.js';
import { registerKernels, tf } from '../../shared/index.js';
import type { Addon } from '../addon.js';
import type { NativeBackend } from '../backend.js';
import { arithmeticKernels, stepKernel } from './arithmeticKernels.js';
import { attentionKernels } from './attentionKernels.js';
import { blockKernels } from './blockKernels.js';
import { decodeKernels } from './decodeKernels.js';
import type { NATIVE_FUSED_KERNELS } from './fusedKernels.js';
import { createKernelContext } from './kernelContext.js';
import { linearCrossEntropyKernels } from './linearCrossEntropyKernels.js';
import { matMulKernels } from './matMulKernels.js';
import { movementKernels } from './movementKernels.js';
import { optimizerKernels } from './optimizerKernels.js';
import { pattentionKernels } from './pattentionKernels.js';
import { rotaryKernel } from './rotaryKernel.js';
import { rowKernels, stockRowKernels } from './rowKernels.js';
import { sumKernels } from './sumKernels.js';
import { transformerBlockKernels } from './transformerBlockKernels.js';

const BACKEND = 'native';

const compiledNames = new Set<string>();

/** Registers the compiled kernels for the backend, and the cpu backend's for all that they leave out. */
export function installNativeKernels(addon: Addon, backend: NativeBackend): void {
  const context = createKernelContext(addon, backend);
  const fused: FusedKernelFunctions<keyof typeof NATIVE_FUSED_KERNELS> = {
    ...pattentionKernels(context),
    ...attentionKernels(context),
    ...blockKernels(context),
    ...transformerBlockKernels(context),
    ...rowKernels(context),
    ...linearCrossEntropyKernels(context),
    ...rotaryKernel(context),
    ...decodeKernels(context),
    ...optimizerKernels(context),
  };
  const compiled = {
    ...fused,
    ...matMulKernels(context),
    ...stockRowKernels(context),
    ...arithmeticKernels(context),
    ...stepKernel(context),
    ...sumKernels(context),
    ...movementKernels(context),
  };
  for (const { kernelName } of tf.getKernelsForBackend(BACKEND)) tf.unregisterKernel(kernelName, BACKEND);
  registerKernels(BACKEND, compiled, (_name, _backend, run) => context.run(run));
  for (const name of Object.keys(compiled)) compiledNames.add(name);
  for (const config of tf.getKernelsForBackend('cpu')) {
    if (!(config.kernelName in compiled)) tf.registerKernel({ ...config, backendName: BACKEND });
  }
}

/** The kernels of the native backend; none before the first start. */
export function nativeKernels(): KernelOrigins {
  const names = tf.getKernelsForBackend(BACKEND).map(({ kernelName }) => kernelName);
  return {
    compiled: names.filter((name) => compiledNames.has(name)).sort(),
    javaScript: names.filter((name) => !compiledNames.has(name)).sort(),
  };
}
export { NATIVE_FUSED_KERNELS, NORM_ACTIVATIONS } from './fusedKernels.js';
