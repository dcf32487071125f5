import type { EngineOptions, EngineProbe } from '../shared/index.js';
import type { GpuDevice } from './backend.js';
import type { DeviceErrors } from './deviceErrors.js';

/** The parts of WebGPU's `GPUAdapter` that are read here; a fallback adapter is emulated on the CPU. */
export interface Adapter {
  readonly info: AdapterInfo;
  requestDevice(descriptor?: object): Promise<GpuDevice>;
}
export interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
}
export interface Gpu {
  requestAdapter(options?: object): Promise<Adapter | null>;
}

/** What adapters are asked for. */
export const REQUEST = { powerPreference: 'high-performance' };

/** Whether the engine can work on an adapter; `none` says where there is none. */
export function probeOf(
  info: AdapterInfo | null,
  { allowSoftwareAdapter = false }: EngineOptions,
  none: { readonly why: string; readonly install: string },
): EngineProbe {
  if (info === null) return { available: false, ...none };
  if (info.isFallbackAdapter && !allowSoftwareAdapter) {
    return { available: false, why: 'software only (use --allow-software-adapter)', install: none.install };
  }
  const name = (info.device || info.architecture || info.vendor).replace(/-+$/, '');
  const device = info.description === '' ? name : `${name} (${info.description})`;
  return { available: true, device: info.isFallbackAdapter ? `${device}, software` : device };
}

/** Watches the device that the backend is about to open. */
export function watchDevice(adapter: Adapter, errors: DeviceErrors): void {
  const requestDevice = adapter.requestDevice.bind(adapter);
  adapter.requestDevice = async (descriptor) => {
    const device = await requestDevice(descriptor);
    errors.watch(device);
    return device;
  };
}
