import { callKernel, type KernelResult, type StockAttributes, type Tensors, tf } from '../../shared/index.js';
import type { Addon, NumberArray } from '../addon.js';
import type { NativeBackend } from '../backend.js';

/** What kernels share: the compiled functions and the backend whose memory they use. */
export interface KernelContext {
  readonly addon: Addon;
  readonly backend: NativeBackend;
  /** A tensor's numbers in place; the compiled functions check type and length. */
  numbers(tensor: tf.TensorInfo): NumberArray;
  /** A new tensor with undefined contents, float32 unless said otherwise. */
  output(shape: number[], dtype?: 'float32' | 'int32' | 'bool'): tf.TensorInfo;
  /** Runs a kernel; if it throws, the outputs it has made are disposed. */
  run(kernel: () => KernelResult): KernelResult;
  /** Runs the cpu backend's kernel. */
  stock<Name extends keyof StockAttributes>(
    kernelName: Name,
    inputs: Tensors,
    attributes: StockAttributes[Name],
  ): KernelResult;
  /** Runs the cpu backend's kernel of an operation without attributes. */
  stockPlain(kernelName: string, inputs: Tensors): KernelResult;
}

export function createKernelContext(addon: Addon, backend: NativeBackend): KernelContext {
  const made: tf.TensorInfo[] = [];
  const stock = (kernelName: string, inputs: Tensors, attributes: object): KernelResult => {
    const kernel = tf.getKernel(kernelName, 'cpu');
    if (kernel == null) throw new Error(`native kernels: expected a cpu kernel ${kernelName}, got none`);
    return callKernel(kernel, inputs, attributes, backend);
  };
  return {
    addon,
    backend,
    numbers: (tensor) => backend.numbers(tensor),
    output: (shape, dtype = 'float32') => {
      const tensor = backend.newOutput(shape, dtype);
      made.push(tensor);
      return tensor;
    },
    run: (kernel) => {
      try {
        return kernel();
      } catch (error) {
        for (const { dataId } of made) backend.disposeData(dataId, true);
        throw error;
      } finally {
        made.length = 0;
      }
    },
    stock,
    stockPlain: (kernelName, inputs) => stock(kernelName, inputs, {}),
  };
}

/** The product of sizes; 1 for none. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Whether every tensor is float32, as the compiled arithmetic needs. */
export function allFloat(...tensors: tf.TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => dtype === 'float32');
}

/** Throws unless a tensor has that many axes. */
export function expectRank(kernelName: string, name: string, tensor: tf.TensorInfo, rank: number): void {
  if (tensor.shape.length !== rank) {
    throw new Error(`${kernelName}: expected ${name} with ${rank} axes, got [${tensor.shape}]`);
  }
}
