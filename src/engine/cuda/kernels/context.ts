import {
  callKernel,
  type KernelResult,
  type MatmulPrecision,
  type StockAttributes,
  type Tensors,
  tf,
} from '../../shared/index.js';
import type { CudaAddon, CudaFacts } from '../addon.js';
import type { CudaBackend } from '../backend.js';
import type { Allocation, DeviceMemory } from '../deviceMemory.js';
import type { Commands, LaunchSize } from './commands.js';
import { NUMBER_BYTES, type NumberType } from './numbers.js';

/** What kernels share: the card, the backend whose memory they use, and the commands that they leave behind. */
export interface KernelContext {
  readonly addon: CudaAddon;
  readonly facts: CudaFacts;
  readonly backend: CudaBackend;
  /** Whether commands that come again and again may become a CUDA graph. */
  readonly usesGraphs: boolean;
  /** Sent by `run` after each kernel, so one call of the addon per kernel. */
  readonly commands: Commands;
  /** The id of a CUDA kernel. */
  kernel(name: string): number;
  /** A new tensor in device memory, 256-byte aligned, with undefined contents, float32 unless said otherwise, and room for so many bytes behind it. */
  output(shape: number[], dtype?: NumberType, room?: number): tf.TensorInfo;
  /** New float32 tensors, one behind the other without gaps in one allocation; each is disposed on its own. */
  adjacentOutputs(shapes: readonly number[][]): tf.TensorInfo[];
  /** Where a tensor's numbers are, for reading; those of a host tensor are copied to the device first. */
  address(tensor: tf.TensorInfo): number;
  /** The same for writing in place; throws if another tensor shares the numbers. */
  ownAddress(tensor: tf.TensorInfo): number;
  /** A tensor of another shape that shares the numbers of this one. */
  sameNumbers(tensor: tf.TensorInfo, shape: number[]): tf.TensorInfo;
  /** Device memory, 256-byte aligned, that is freed (in stream order) when the kernel's run ends. */
  scratch(bytes: number): number;
  /** Of large products just now. */
  precision(): MatmulPrecision;
  /** Runs a kernel; if it throws, the outputs it has made are disposed. Then sends the commands. */
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

/** What an engine gives to its kernels. */
export type KernelGivens = Pick<
  KernelContext,
  'addon' | 'facts' | 'backend' | 'usesGraphs' | 'commands' | 'kernel' | 'precision'
> & {
  readonly memory: DeviceMemory;
};

export function createKernelContext(givens: KernelGivens): KernelContext {
  const { addon, backend, commands, memory } = givens;
  const made: tf.TensorInfo[] = [];
  const scratches: Allocation[] = [];
  let depth = 0;

  const stock = (kernelName: string, inputs: Tensors, attributes: object): KernelResult => {
    const kernel = tf.getKernel(kernelName, 'cpu');
    if (kernel == null) throw new Error(`cuda kernels: expected a cpu kernel ${kernelName}, got none`);
    return callKernel(kernel, inputs, attributes, backend);
  };

  const scratch = (bytes: number): number => {
    const allocation = memory.allocate(bytes);
    scratches.push(allocation);
    return allocation.address;
  };

  /** A kernel may call another, so this may be inside another run: then the outermost sends and frees. */
  const run = (kernel: () => KernelResult): KernelResult => {
    const outermost = depth === 0;
    const before = made.length;
    if (outermost) memory.hold();
    depth++;
    try {
      const result = kernel();
      if (outermost) commands.flush();
      return result;
    } catch (error) {
      for (const { dataId } of made.slice(before)) backend.disposeData(dataId, true);
      throw error;
    } finally {
      depth--;
      if (outermost) {
        made.length = 0;
        for (const allocation of scratches) memory.release(allocation);
        scratches.length = 0;
        memory.endHold();
        memory.flush();
      }
    }
  };

  return {
    addon,
    facts: givens.facts,
    backend,
    usesGraphs: givens.usesGraphs,
    commands,
    kernel: givens.kernel,
    precision: givens.precision,
    output: (shape, dtype = 'float32', room = 0) => {
      const tensor = backend.makeOnCard(shape, dtype, room);
      made.push(tensor);
      return tensor;
    },
    adjacentOutputs: (shapes) => {
      const tensors = backend.makeAdjacentOutputs(shapes);
      made.push(...tensors);
      return tensors;
    },
    address: (tensor) => {
      const { dtype } = backend.data.get(tensor.dataId);
      if (dtype === tensor.dtype) return backend.address(tensor);
      // A lossless cast of a cpu kernel only renames the dtype; the numbers' bits are those of the old one.
      const numbers = backend.numbers(tensor);
      const address = scratch(numbers.byteLength);
      if (numbers.length > 0) addon.upload(address, numbers);
      return address;
    },
    ownAddress: (tensor) => backend.ownAddress(tensor),
    sameNumbers: (tensor, shape) => backend.sameNumbers(tensor, shape),
    scratch,
    run,
    stock,
    stockPlain: (kernelName, inputs) => stock(kernelName, inputs, {}),
  };
}

/** The product of sizes; 1 for none. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Tensors up to this size are left to the cpu kernels while all are on the host. */
const HOST_SIZE = 4096;

/**
 * Whether an operation is better done on the host: none of its inputs is on the device, and all are small. Only for operations
 * whose result is the same to the last bit on both, so that no result depends on where numbers happen to be.
 */
export function staysOnHost({ backend }: KernelContext, ...tensors: tf.TensorInfo[]): boolean {
  return tensors.every((tensor) => !backend.isOnDevice(tensor) && sizeOf(tensor.shape) <= HOST_SIZE);
}

const THREADS = 256;

/** A grid of blocks of 256 threads for so many items of work, which the threads go through in strides of the grid. */
export function gridOf({ facts }: KernelContext, items: number, perBlock = THREADS): LaunchSize {
  const blocks = Math.min(Math.ceil(items / perBlock), facts.multiprocessors * 16);
  return { grid: [Math.max(1, blocks)], threads: THREADS };
}

/** Elements that one launch with 32-bit indices goes through. */
export const MOST_ELEMENTS = 2 ** 31 - 1;

/** Bytes of a tensor's numbers. */
export function byteSize({ shape, dtype }: tf.TensorInfo): number {
  return sizeOf(shape) * (NUMBER_BYTES[dtype as NumberType] ?? 0);
}

/** Whether every tensor is float32. */
export function allFloat(...tensors: tf.TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => dtype === 'float32');
}

/** Throws unless a tensor has that many axes. */
export function expectRank(kernelName: string, name: string, tensor: tf.TensorInfo, rank: number): void {
  if (tensor.shape.length !== rank) {
    throw new Error(`${kernelName}: expected ${name} with ${rank} axes, got [${tensor.shape}]`);
  }
}

/**
 * Throws for a label that names no class in a row that counts, where labels and weights are on the host, as those of a batch are. Elsewhere the
 * loss of such a row is NaN.
 */
export function expectLabels(
  { backend }: Pick<KernelContext, 'backend'>,
  kernelName: string,
  labels: tf.TensorInfo,
  weights: tf.TensorInfo,
  classes: number,
): void {
  if (!backend.isOnHost(labels) || !backend.isOnHost(weights)) return;
  const [numbers, factors] = [backend.numbers(labels), backend.numbers(weights)];
  for (let row = 0; row < numbers.length; row++) {
    if (factors[row] === 0 || (numbers[row] >= 0 && numbers[row] < classes)) continue;
    throw new Error(
      `${kernelName}: expected labels in [0, ${classes}) where the weight is not 0, got ${numbers[row]} in row ${row}`,
    );
  }
}
