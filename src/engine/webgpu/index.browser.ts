import '@tensorflow/tfjs-backend-webgpu';
import type { Engine, EngineOptions } from '../shared/index.js';
import { activateBackend, tf } from '../shared/index.js';
import { type AdapterInfo, type Gpu, probeOf, REQUEST, watchDevice } from './adapter.js';
import type { WebgpuBackend } from './backend.js';
import { completeBackend } from './completeBackend.js';
import { DeviceErrors } from './deviceErrors.js';
import { NORM_ACTIVATIONS, WEBGPU_FUSED_KERNELS } from './kernels/index.js';

const NO_ADAPTER = { why: 'this browser finds no GPU', install: 'use a browser with WebGPU' };

let started: Promise<AdapterInfo> | undefined;

/** As in Node, with the browser's own WebGPU. */
export const webgpu: Engine = {
  name: 'webgpu',
  computesAside: true,
  fusedKernels: WEBGPU_FUSED_KERNELS,
  normActivations: NORM_ACTIVATIONS,
  async probe(options: EngineOptions = {}) {
    const adapter = await browserGpu()
      ?.requestAdapter(REQUEST)
      .catch(() => null);
    return probeOf(adapter?.info ?? null, options, NO_ADAPTER);
  },
  async activate(options: EngineOptions = {}) {
    started ??= start();
    const probe = probeOf(await started, options, NO_ADAPTER);
    if (!probe.available) throw new Error(probe.why);
    await activateBackend('webgpu');
    return { device: probe.device, version: `tfjs ${tf.version_core}` };
  },
};

function browserGpu(): Gpu | undefined {
  return (globalThis as { readonly navigator?: { readonly gpu?: Gpu } }).navigator?.gpu;
}

async function start(): Promise<AdapterInfo> {
  const gpu = browserGpu()!;
  const errors = new DeviceErrors();
  let info: AdapterInfo | undefined;
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async () => {
    const adapter = await requestAdapter(REQUEST);
    if (adapter !== null) {
      info = adapter.info;
      watchDevice(adapter, errors);
    }
    return adapter;
  };
  await activateBackend('webgpu');
  completeBackend(tf.backend() as unknown as WebgpuBackend, errors);
  return info!;
}
