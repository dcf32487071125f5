import { tf } from '../shared/index.js';
import type { NumberArray } from './addon.js';
import type { MemoryPool, PoolBlock } from './memoryPool.js';

/** The cpu backend's record of a tensor; `block` is set where its numbers are in the pool. */
export interface TensorData {
  values?: tf.BackendValues;
  readonly dtype: tf.DataType;
  refCount: number;
  readonly complexTensorInfos?: { readonly real: tf.TensorInfo; readonly imag: tf.TensorInfo };
  block?: PoolBlock;
}

interface Storage {
  get(dataId: object): TensorData;
  set(dataId: object, data: TensorData): void;
  has(dataId: object): boolean;
}

/** The parts of TensorFlow.js's cpu backend that this one relies on, since the cpu kernels run on it too. */
export interface NativeBackend extends tf.KernelBackend {
  readonly data: Storage;
  makeTensorInfo(shape: number[], dtype: tf.DataType, values?: tf.BackendValues | string[]): tf.TensorInfo;
  /** A new tensor with undefined contents. */
  newOutput(shape: number[], dtype: 'float32' | 'int32' | 'bool'): tf.TensorInfo;
  /** A tensor of another shape that shares the numbers of this one. */
  sameNumbers(tensor: tf.TensorInfo, shape: number[]): tf.TensorInfo;
  /** A tensor's numbers in place; neither keep the view nor hand it out. */
  numbers(tensor: tf.TensorInfo): NumberArray;
  /** The same for writing; throws if another tensor shares them. */
  ownNumbers(tensor: tf.TensorInfo): NumberArray;
}

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/**
 * A backend with tensors in pooled memory that every kernel of the cpu backend can use: it is a cpu
 * backend with other storage. Numbers are copied on the way in and on the way out, so user code never holds the pool's.
 */
export function createNativeBackend(pool: MemoryPool): NativeBackend {
  const cpu = tf.findBackend('cpu');
  if (cpu == null) throw new Error('native backend: expected the cpu backend to be there, got none');
  const backend = new (cpu.constructor as new () => NativeBackend)();
  // The cpu backend greets its first tensor with an advertisement for another package.
  Object.assign(backend, { firstUse: false });
  const inherited = { disposeData: backend.disposeData.bind(backend), readSync: backend.readSync.bind(backend) };
  let nextId = 0;

  /** Copies numbers into the pool; anything else stays as it is. */
  function store(values: tf.BackendValues | undefined, dtype: tf.DataType) {
    if (values == null || dtype === 'string' || dtype === 'complex64') return { values };
    const block = pool.allocate(values.length * tf.util.bytesPerElement(dtype));
    const view = viewOf(block, values.length, dtype);
    view.set(values as unknown as ArrayLike<number>);
    return { values: view, block };
  }

  function add(data: TensorData): object {
    const dataId = { id: nextId++ };
    backend.data.set(dataId, data);
    return dataId;
  }

  const methods = {
    write: (values: tf.BackendValues, _shape: number[], dtype: tf.DataType): object =>
      add({ ...store(values, dtype), dtype, refCount: 1 }),
    move: (dataId: object, values: tf.BackendValues, _shape: number[], dtype: tf.DataType, refCount: number): void =>
      backend.data.set(dataId, { ...store(values, dtype), dtype, refCount }),
    /** Takes a cpu kernel's result: its own numbers as they are, a copy of a view of another tensor's. */
    makeTensorInfo: (shape: number[], dtype: tf.DataType, values?: tf.BackendValues | string[]): tf.TensorInfo => {
      const encoded =
        dtype === 'string' && typeof values?.[0] === 'string'
          ? (values as string[]).map((text) => tf.util.encodeString(text))
          : (values as tf.BackendValues | undefined);
      const borrowed = ArrayBuffer.isView(encoded) && pool.owns(encoded.buffer);
      const kept = borrowed ? store(encoded, dtype) : { values: encoded };
      return { dataId: add({ ...kept, dtype, refCount: 1 }), shape, dtype };
    },
    newOutput: (shape: number[], dtype: 'float32' | 'int32' | 'bool'): tf.TensorInfo => {
      const count = shape.reduce((product, size) => product * size, 1);
      const block = pool.allocate(count * tf.util.bytesPerElement(dtype));
      return { dataId: add({ values: viewOf(block, count, dtype), block, dtype, refCount: 1 }), shape, dtype };
    },
    sameNumbers: ({ dataId, dtype }: tf.TensorInfo, shape: number[]): tf.TensorInfo => {
      backend.data.get(dataId).refCount++;
      return { dataId, shape, dtype };
    },
    numbers: (tensor: tf.TensorInfo): NumberArray => {
      const { values } = backend.data.get(tensor.dataId);
      if (values == null || tensor.dtype === 'string' || tensor.dtype === 'complex64') {
        throw new Error(`native backend: expected a tensor of numbers, got ${tensor.dtype}`);
      }
      const kind = ARRAYS[tensor.dtype as keyof typeof ARRAYS];
      // The cpu kernels sometimes leave other array types: a lossless cast only renames the dtype.
      return values instanceof kind ? (values as NumberArray) : kind.from(values as unknown as ArrayLike<number>);
    },
    ownNumbers: (tensor: tf.TensorInfo): NumberArray => {
      const { values, block, refCount } = backend.data.get(tensor.dataId);
      if (refCount !== 1 || block === undefined) {
        throw new Error(`native backend: expected numbers of a single tensor, got ${refCount} sharing them`);
      }
      return values as NumberArray;
    },
    readSync: (dataId: object): tf.BackendValues => {
      const values = inherited.readSync(dataId);
      const kept = values === backend.data.get(dataId).values && ArrayBuffer.isView(values);
      return kept ? (values as unknown as NumberArray).slice() : values;
    },
    read: async (dataId: object): Promise<tf.BackendValues> => backend.readSync(dataId),
    disposeData: (dataId: object, force = false): boolean => {
      if (!backend.data.has(dataId)) return true;
      const { block } = backend.data.get(dataId);
      const disposed = inherited.disposeData(dataId, force);
      if (disposed && block !== undefined) pool.release(block);
      return disposed;
    },
    memory: () => ({ unreliable: false, pool: pool.size() }),
  };
  return Object.assign(backend, methods);
}

function viewOf(block: PoolBlock, count: number, dtype: tf.DataType): NumberArray {
  if (dtype === 'float32') return new Float32Array(block.buffer, block.offset, count);
  if (dtype === 'int32') return new Int32Array(block.buffer, block.offset, count);
  return new Uint8Array(block.buffer, block.offset, count);
}
