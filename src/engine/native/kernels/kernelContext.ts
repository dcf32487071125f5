import type { Addon, NumberArray } from '../addon.js';
import type { NativeBackend } from '../backend.js';
import type { Attributes, TensorInfo, Tensors, Tf } from '../tensorFlow.js';

export type { Attributes, TensorInfo, Tensors } from '../tensorFlow.js';

/** A kernel as it is written here; `inputs` and `attributes` as TensorFlow.js names them. */
export type NativeKernel = (inputs: Tensors, attributes: Attributes) => TensorInfo | TensorInfo[];

/** What a kernel works with: the compiled functions and the backend in whose memory they run. */
export interface KernelContext {
  readonly tf: Tf;
  readonly addon: Addon;
  readonly backend: NativeBackend;
  /** The numbers of a tensor where they lie; the compiled functions check their kind and length. */
  numbers(tensor: TensorInfo): NumberArray;
  /** A new tensor with undefined contents, float32 unless said otherwise. */
  output(shape: number[], dtype?: 'float32' | 'int32' | 'bool'): TensorInfo;
  /** Runs a kernel; when it throws, what it had made by then is disposed. */
  run(kernel: NativeKernel, inputs: Tensors, attributes: Attributes): TensorInfo | TensorInfo[];
  /** Runs the cpu backend's kernel. */
  stock(kernelName: string, inputs: Tensors, attributes: Attributes): TensorInfo | TensorInfo[];
}

export function createKernelContext(tf: Tf, addon: Addon, backend: NativeBackend): KernelContext {
  const made: TensorInfo[] = [];
  return {
    tf,
    addon,
    backend,
    numbers: (tensor) => backend.numbers(tensor),
    output: (shape, dtype = 'float32') => {
      const tensor = backend.makeOutput(shape, dtype);
      made.push(tensor);
      return tensor;
    },
    run: (kernel, inputs, attributes) => {
      try {
        return kernel(inputs, attributes);
      } catch (error) {
        for (const { dataId } of made) backend.disposeData(dataId, true);
        throw error;
      } finally {
        made.length = 0;
      }
    },
    stock: (kernelName, inputs, attributes) => {
      const kernel = tf.getKernel(kernelName, 'cpu');
      if (kernel == null) throw new Error(`native kernels: expected a cpu kernel ${kernelName}, got none`);
      return kernel.kernelFunc({ inputs, backend, attrs: attributes });
    },
  };
}

/** The product of sizes; 1 for none. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Whether every tensor is float32, which is what the compiled arithmetic is for. */
export function allFloat(...tensors: TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => dtype === 'float32');
}

/** Throws unless a tensor has that many axes. */
export function expectRank(kernelName: string, name: string, tensor: TensorInfo, rank: number): void {
  if (tensor.shape.length !== rank) {
    throw new Error(`${kernelName}: expected ${name} with ${rank} axes, got [${tensor.shape}]`);
  }
}
