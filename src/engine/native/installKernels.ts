import type { Addon } from './addon.js';
import type { NativeBackend } from './backend.js';
import { arithmeticKernels } from './kernels/arithmeticKernels.js';
import { attentionKernels } from './kernels/attentionKernels.js';
import { blockKernels } from './kernels/blockKernels.js';
import { decodeKernels } from './kernels/decodeKernels.js';
import { createKernelContext, type NativeKernel } from './kernels/kernelContext.js';
import { linearCrossEntropyKernels } from './kernels/linearCrossEntropyKernels.js';
import { matMulKernels } from './kernels/matMulKernels.js';
import { movementKernels } from './kernels/movementKernels.js';
import { optimizerKernels } from './kernels/optimizerKernels.js';
import { pattentionKernels } from './kernels/pattentionKernels.js';
import { rotaryKernel } from './kernels/rotaryKernel.js';
import { rowKernels } from './kernels/rowKernels.js';
import { sumKernels } from './kernels/sumKernels.js';
import type { Tf } from './tensorFlow.js';

const compiledNames = new Set<string>();

/** Registers the compiled kernels for the backend, and the cpu backend's for all that they leave out. */
export function installKernels(tf: Tf, addon: Addon, backend: NativeBackend): void {
  const context = createKernelContext(tf, addon, backend);
  const compiled: Record<string, NativeKernel> = {
    ...matMulKernels(context),
    ...pattentionKernels(context),
    ...attentionKernels(context),
    ...blockKernels(context),
    ...rowKernels(context),
    ...linearCrossEntropyKernels(context),
    ...rotaryKernel(context),
    ...decodeKernels(context),
    ...optimizerKernels(context),
    ...arithmeticKernels(context),
    ...sumKernels(context),
    ...movementKernels(context),
  };
  const backendName = 'native';
  for (const { kernelName } of tf.getKernelsForBackend(backendName)) tf.unregisterKernel(kernelName, backendName);
  for (const [kernelName, kernel] of Object.entries(compiled)) {
    compiledNames.add(kernelName);
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) => context.run(kernel, inputs, attrs ?? {}),
    });
  }
  for (const config of tf.getKernelsForBackend('cpu')) {
    if (!(config.kernelName in compiled)) tf.registerKernel({ ...config, backendName });
  }
}

/** Kernel names of TensorFlow.js and of this project: those in C++, and those left to plain JavaScript. */
export interface NativeKernels {
  readonly compiled: readonly string[];
  readonly javaScript: readonly string[];
}

/** The kernels of the native backend; none before the first start. */
export function nativeKernels(tf: {
  getKernelsForBackend(backendName: string): readonly { kernelName: string }[];
}): NativeKernels {
  const names = tf.getKernelsForBackend('native').map(({ kernelName }) => kernelName);
  return {
    compiled: names.filter((name) => compiledNames.has(name)).sort(),
    javaScript: names.filter((name) => !compiledNames.has(name)).sort(),
  };
}
