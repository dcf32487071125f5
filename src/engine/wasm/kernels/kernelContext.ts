import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { callKernel, type KernelResult, type StockAttributes, type Tensors, tf } from '../../shared/index.js';
import type { KernelModule } from './kernelModule.js';

/** What kernels share: the compiled functions and the backend whose memory they use. */
export interface KernelContext {
  readonly module: KernelModule;
  readonly backend: BackendWasm;
  /** The byte address of a tensor's numbers. */
  address(tensor: tf.TensorInfo): number;
  /** A new tensor with undefined contents, float32 unless said otherwise. */
  output(shape: number[], dtype?: tf.DataType): tf.TensorInfo;
  /** The numbers at an address; a view to be used at once, since it dies when the memory grows. */
  heap(address: number, count: number): Float32Array;
  /** Runs `use` with the address of that many bytes, 16-byte aligned, which are free again afterwards. */
  scratch(bytes: number, use: (address: number) => void): void;
  /** Runs the kernel the backend came with. */
  stock<Name extends keyof StockAttributes>(
    kernelName: Name,
    inputs: Tensors,
    attributes: StockAttributes[Name],
  ): KernelResult;
  /** Runs the kernel that the backend came with, of an operation without attributes. */
  stockPlain(kernelName: string, inputs: Tensors): KernelResult;
}

/** Kernels of the backend as it was shipped, kept from before the first time they were replaced. */
const stockKernels = new Map<string, tf.KernelConfig>();

interface Heap {
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  _malloc(bytes: number): number;
  _free(address: number): void;
}

/** Room to align scratch memory, and for a vector that is loaded across its end (what lies there is not used). */
const MARGIN = 32;

export function createKernelContext(module: KernelModule, backend: BackendWasm): KernelContext {
  const { wasm } = backend as unknown as { wasm: Heap };
  const stock = (kernelName: string, inputs: Tensors, attributes: object): KernelResult => {
    const kept = stockKernels.get(kernelName);
    if (kept === undefined) throw new Error(`wasm kernels: expected a stock kernel ${kernelName}, got none`);
    return callKernel(kept, inputs, attributes, backend);
  };
  return {
    module,
    backend,
    address: (tensor) => backend.dataIdMap.get(tensor.dataId).memoryOffset,
    output: (shape, dtype = 'float32') => backend.makeOutput(shape, dtype),
    heap: (address, count) => new Float32Array(wasm.HEAPU8.buffer, address, count),
    scratch: (bytes, use) => {
      const start = wasm._malloc(bytes + MARGIN) >>> 0;
      try {
        use(Math.ceil(start / 16) * 16);
      } finally {
        wasm._free(start);
      }
    },
    stock,
    stockPlain: (kernelName, inputs) => stock(kernelName, inputs, {}),
  };
}

/** Remembers the backend's own kernels of those names before something takes their place. */
export function keepStockKernels(names: readonly string[]): void {
  for (const name of names) {
    const present = tf.getKernel(name, 'wasm');
    if (present != null && !stockKernels.has(name)) stockKernels.set(name, present);
  }
}
