import type { WebgpuBackend } from './backend.js';
import { boundBufferPool } from './bufferPool.js';
import { type DeviceErrors, raiseErrors } from './deviceErrors.js';
import { installWebgpuKernels } from './kernels/index.js';
import { repairWebgpuKernels } from './repairs.js';

/** Gives a running backend what it lacks: a bound on kept buffers, exceptions, repaired and fused kernels. This must run once. */
export function completeBackend(backend: WebgpuBackend, errors: DeviceErrors): void {
  boundBufferPool(backend);
  raiseErrors(backend, errors);
  repairWebgpuKernels();
  installWebgpuKernels();
}
