/** @file This project's own operations as shaders: fewer launches and less memory traffic than as plain operations. */
import type { FusedKernelFunctions } from '../../shared/index.js';
import { registerKernels } from '../../shared/index.js';
import type { WebgpuBackend } from '../backend.js';
import { attentionKernels } from './attentionKernels.js';
import { crossEntropyKernels } from './crossEntropyKernels.js';
import type { WEBGPU_FUSED_KERNELS } from './fusedKernels.js';
import { optimizerKernels } from './optimizerKernels.js';
import { pattentionKernels } from './pattentionKernels.js';
import { rotaryKernel } from './rotaryKernel.js';
import { rowKernels } from './rowKernels.js';

/** Registers the kernels for the webgpu backend; this must run once. */
export function installWebgpuKernels(): void {
  const kernels: FusedKernelFunctions<keyof typeof WEBGPU_FUSED_KERNELS, WebgpuBackend> = {
    ...attentionKernels,
    ...crossEntropyKernels,
    ...optimizerKernels,
    ...pattentionKernels,
    ...rotaryKernel,
    ...rowKernels,
  };
  registerKernels('webgpu', kernels);
}
export { NORM_ACTIVATIONS, WEBGPU_FUSED_KERNELS } from './fusedKernels.js';
