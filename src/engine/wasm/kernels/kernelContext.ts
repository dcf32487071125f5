import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { tf } from '../../tf.js';
import type { KernelModule } from '../kernelModule.js';

export type Tensors = Record<string, tf.TensorInfo>;

/** A kernel as it is written here; `inputs` and `attributes` as TensorFlow.js names them. */
export type WasmKernel = (inputs: Tensors, attributes: Record<string, unknown>) => tf.TensorInfo | tf.TensorInfo[];

/** What a kernel works with: the compiled functions and the backend in whose memory they run. */
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
  stock(kernelName: string, inputs: Tensors, attributes: Record<string, unknown>): tf.TensorInfo | tf.TensorInfo[];
}

/** Kernels of the backend as it was shipped, kept from before the first time they were replaced. */
const stockKernels = new Map<string, tf.KernelFunc>();

interface Heap {
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  _malloc(bytes: number): number;
  _free(address: number): void;
}

/** Room to align scratch memory, and for a vector that is loaded across its end (what lies there is not used). */
const MARGIN = 32;

export function createKernelContext(module: KernelModule, backend: BackendWasm): KernelContext {
  const { wasm } = backend as unknown as { wasm: Heap };
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
    stock: (kernelName, inputs, attrs) => {
      const kept = stockKernels.get(kernelName);
      if (kept === undefined) throw new Error(`wasm kernels: expected a stock kernel ${kernelName}, got none`);
      return kept({ inputs, backend, attrs: attrs as tf.NamedAttrMap });
    },
  };
}

/** Puts kernels in the place of the backend's own. */
export function registerWasmKernels(context: KernelContext, kernels: Record<string, WasmKernel>): void {
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    const present = tf.getKernel(kernelName, 'wasm');
    if (present != null) {
      if (!stockKernels.has(kernelName)) stockKernels.set(kernelName, present.kernelFunc);
      tf.unregisterKernel(kernelName, 'wasm');
    }
    const kernelFunc: tf.KernelFunc = ({ inputs, attrs, backend }) => {
      // Another instance of the backend has another memory, and the addresses would mean nothing there.
      if (backend !== context.backend) throw new Error(`${kernelName}: expected the wasm backend it was installed for`);
      return kernel(inputs as Tensors, (attrs ?? {}) as Record<string, unknown>);
    };
    tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc });
  }
}
