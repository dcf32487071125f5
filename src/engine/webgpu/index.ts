import { pathToFileURL } from 'node:url';
import type { Engine, EngineOptions } from '../shared/index.js';
import { activateBackend, findPackage, runInChild, tf } from '../shared/index.js';
import { type AdapterInfo, type Gpu, probeOf, REQUEST, watchDevice } from './adapter.js';
import type { GpuBuffer, WebgpuBackend } from './backend.js';
import { completeBackend } from './completeBackend.js';
import { DeviceErrors } from './deviceErrors.js';
import { NORM_ACTIVATIONS, WEBGPU_FUSED_KERNELS } from './kernels/index.js';
import { allowSynchronousReads, catchTicksOf } from './synchronousRead.js';

// Variables, so that the type checker does not look for optional packages.
const DAWN: string = 'webgpu';
const BACKEND: string = '@tensorflow/tfjs-backend-webgpu';
const INSTALL = `run npm install ${DAWN} ${BACKEND}`;
const DRIVER = "install a GPU driver (Linux: libvulkan1 and the maker's Vulkan driver)";
const NO_ADAPTER = { why: 'Dawn finds no GPU adapter', install: DRIVER };

interface DawnGlobals {
  readonly GPUBuffer: { readonly prototype: GpuBuffer };
}

/** Opens the device, because drivers that list an adapter may still fail at that. */
const PROBE = `
  const { create, globals } = await import(process.argv[1]);
  Object.assign(globalThis, globals);
  const adapter = await create([]).requestAdapter(${JSON.stringify(REQUEST)});
  if (adapter === null) {
    console.log('null');
  } else {
    const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
    (await adapter.requestDevice()).destroy();
    console.log(JSON.stringify({ vendor, architecture, device, description, isFallbackAdapter }));
  }
`;

let started: Promise<AdapterInfo> | undefined;

/** Any GPU, through Dawn (npm `webgpu`) and TensorFlow.js' WebGPU backend; both are optional dependencies. */
export const webgpu: Engine = {
  name: 'webgpu',
  computesAside: true,
  fusedKernels: WEBGPU_FUSED_KERNELS,
  normActivations: NORM_ACTIVATIONS,
  async probe(options: EngineOptions = {}) {
    const dawn = findPackage(DAWN);
    if (dawn === undefined || findPackage(BACKEND) === undefined) {
      const missing = dawn === undefined ? DAWN : BACKEND;
      return { available: false, why: `${missing} is not installed`, install: INSTALL };
    }
    // In a child: loading Dawn without Vulkan writes a warning, and a broken driver takes its process down.
    const result = await runInChild(PROBE, pathToFileURL(dawn.main).href);
    if ('failure' in result) return { available: false, why: `Dawn ${result.failure}`, install: DRIVER };
    return probeOf(result.value as AdapterInfo | null, options, NO_ADAPTER);
  },
  async activate(options: EngineOptions = {}) {
    started ??= start(options);
    const info = await started.catch((error: unknown) => {
      started = undefined;
      throw error;
    });
    const probe = probeOf(info, options, NO_ADAPTER);
    if (!probe.available) throw new Error(probe.why);
    await activateBackend('webgpu');
    const version = [BACKEND, DAWN].map((name) => `${name} ${findPackage(name)?.version}`).join(', ');
    return { device: probe.device, version };
  },
};

/**
 * Brings WebGPU into the process and starts the backend on the adapter that was probed. `navigator.gpu` must be there
 * before the backend is imported, which registers itself only then.
 */
async function start(options: EngineOptions): Promise<AdapterInfo> {
  const { create, globals } = (await import(DAWN)) as { create(flags: string[]): Gpu; globals: DawnGlobals };
  Object.assign(globalThis, globals);
  const gpu = create([]);
  catchTicksOf(gpu, 'requestAdapter');
  catchTicksOf(globals.GPUBuffer.prototype, 'mapAsync');
  const errors = new DeviceErrors();
  let info: AdapterInfo | undefined;
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async () => {
    const adapter = await requestAdapter(REQUEST);
    const probe = probeOf(adapter?.info ?? null, options, NO_ADAPTER);
    if (!probe.available) throw new Error(probe.why);
    info = adapter?.info;
    catchTicksOf(adapter!, 'requestDevice');
    watchDevice(adapter!, errors);
    return adapter;
  };
  // Node 20 has no `navigator`; later ones have one whose properties are its own.
  const scope = globalThis as { navigator?: object };
  if (scope.navigator === undefined) Object.defineProperty(scope, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(scope.navigator, 'gpu', { value: gpu, configurable: true });
  await import(BACKEND);
  await activateBackend('webgpu');
  const backend = tf.backend() as unknown as WebgpuBackend;
  allowSynchronousReads(backend);
  completeBackend(backend, errors);
  return info!;
}
