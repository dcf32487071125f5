import { tf } from '../shared/index.js';
import type { CudaAddon } from './addon.js';
import type { Allocation, DeviceMemory } from './deviceMemory.js';
import { isNumbers, NUMBER_BYTES, type NumberType } from './kernels/index.js';

type NumberArray = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** Float32 that is written goes to the device at once from this size on: it is copied once instead of twice. */
const DIRECT_BYTES = 2 ** 20;
/** Numbers read are kept on the host too, up to this size. */
const KEPT_BYTES = 2 ** 16;

/** Longer arrays are not searched for a number that differs from the first. */
const SEARCHED = 2 ** 17;

/** The number that all numbers of an array are. */
function uniformOf(values: ArrayLike<number>): number | undefined {
  const [first] = [values[0]];
  if (values.length === 0 || values.length > SEARCHED) return undefined;
  for (let i = 1; i < values.length; i++) if (values[i] !== first) return undefined;
  return first;
}

/** Where a tensor's numbers are in device memory. */
interface Place {
  readonly allocation: Allocation;
  readonly address: number;
  readonly count: number;
}

/** The cpu backend's record of a tensor. Its numbers are on the host, on the device, or the same on both. */
export interface TensorData {
  /** Fetched from the device when they are only there. */
  values?: tf.BackendValues;
  readonly dtype: tf.DataType;
  refCount: number;
  complexTensorInfos?: { readonly real: tf.TensorInfo; readonly imag: tf.TensorInfo };
  /** The numbers on the host, if they are there. */
  host?: tf.BackendValues;
  place?: Place;
  /** The number that all of them are, where that is known. */
  uniform?: number;
}

interface Storage {
  get(dataId: object): TensorData;
  set(dataId: object, data: TensorData): void;
  has(dataId: object): boolean;
}

/** The parts of TensorFlow.js's cpu backend that this one relies on, since the cpu kernels run on it too. */
export interface CudaBackend extends tf.KernelBackend {
  readonly data: Storage;
  makeTensorInfo(shape: number[], dtype: tf.DataType, values?: tf.BackendValues | string[]): tf.TensorInfo;
  /** A new tensor in device memory with undefined contents, and room for so many bytes behind it. */
  makeOnCard(shape: number[], dtype: NumberType, room?: number): tf.TensorInfo;
  /** New float32 tensors, one behind the other without gaps in one allocation; each is disposed on its own. */
  makeAdjacentOutputs(shapes: readonly number[][]): tf.TensorInfo[];
  /** A tensor of another shape that shares the numbers of this one. */
  sameNumbers(tensor: tf.TensorInfo, shape: number[]): tf.TensorInfo;
  /** Whether a tensor's numbers are in device memory now. */
  isOnDevice(tensor: tf.TensorInfo): boolean;
  /** Whether a tensor's numbers are on the host now. */
  isOnHost(tensor: tf.TensorInfo): boolean;
  /** A tensor's numbers on the host, fetched if need be, in an array of its dtype; neither change nor keep it. */
  numbers(tensor: tf.TensorInfo): NumberArray;
  /** Where a tensor's numbers are in device memory, for reading; they are copied there first if need be. */
  address(tensor: tf.TensorInfo): number;
  /** The same for writing in place; throws if another tensor shares them. */
  ownAddress(tensor: tf.TensorInfo): number;
  /** Says that a tensor's numbers on the device have changed: what was known of them is forgotten. */
  changed(tensor: tf.TensorInfo): void;
  /** The number that all of a tensor's numbers are, if that is known without looking at the device. */
  uniform(tensor: tf.TensorInfo): number | undefined;
}

function bytesOf(values: ArrayLike<unknown>, dtype: NumberType): number {
  return values.length * NUMBER_BYTES[dtype];
}

/**
 * A cpu backend with other storage, so that every kernel of the cpu backend can run on it: such a kernel finds its inputs on
 * the host and leaves its results there. Arrays are copied on the way in and on the way out.
 */
export function createCudaBackend(
  addon: Pick<CudaAddon, 'upload' | 'download' | 'downloadLater' | 'memory'>,
  memory: DeviceMemory,
): CudaBackend {
  const cpu = tf.findBackend('cpu');
  if (cpu == null) throw new Error('cuda backend: expected the cpu backend to be there, got none');
  const backend = new (cpu.constructor as new () => CudaBackend)();
  // The cpu backend greets its first tensor with an advertisement for another package.
  Object.assign(backend, { firstUse: false });
  const inherited = { disposeData: backend.disposeData.bind(backend), readSync: backend.readSync.bind(backend) };
  let nextId = 0;

  /** Copies a tensor's numbers from the device. */
  const fetch = ({ allocation: _, address, count }: Place, dtype: NumberType): NumberArray => {
    const array = new ARRAYS[dtype](count);
    memory.flush();
    if (count > 0) addon.download(address, array);
    return array;
  };

  class Data implements TensorData {
    complexTensorInfos?: TensorData['complexTensorInfos'];
    uniform?: number;

    constructor(
      readonly dtype: tf.DataType,
      public refCount: number,
      public host?: tf.BackendValues,
      public place?: Place,
    ) {}

    get values(): tf.BackendValues | undefined {
      if (this.host === undefined && this.place !== undefined) this.host = fetch(this.place, this.dtype as NumberType);
      return this.host;
    }

    set values(values: tf.BackendValues | undefined) {
      if (this.place !== undefined) memory.release(this.place.allocation);
      this.place = undefined;
      this.host = values;
      this.uniform = undefined;
    }
  }

  function add(data: TensorData): object {
    const dataId = { id: nextId++ };
    backend.data.set(dataId, data);
    return dataId;
  }

  function upload(values: ArrayLike<number>, dtype: NumberType): Place {
    const kind = ARRAYS[dtype];
    const allocation = memory.allocate(bytesOf(values, dtype), true);
    // The cpu kernels sometimes leave other array types: a lossless cast only renames the dtype.
    if (values.length > 0) addon.upload(allocation.address, values instanceof kind ? values : kind.from(values));
    return { allocation, address: allocation.address, count: values.length };
  }

  /** Numbers that come from outside: much float32 goes to the device, the rest is copied; indices are checked on the host. */
  function take(values: tf.BackendValues | undefined, dtype: tf.DataType, refCount: number): Data {
    if (values == null || !isNumbers(dtype)) return new Data(dtype, refCount, values ?? undefined);
    const numbers = values as unknown as ArrayLike<number>;
    const isDirect = dtype === 'float32' && bytesOf(values, dtype) >= DIRECT_BYTES;
    const data = isDirect
      ? new Data(dtype, refCount, undefined, upload(numbers, dtype))
      : new Data(dtype, refCount, ARRAYS[dtype].from(numbers));
    data.uniform = uniformOf(numbers);
    return data;
  }

  function placeOf(tensor: tf.TensorInfo): { data: TensorData; place: Place } {
    const data = backend.data.get(tensor.dataId);
    if (!isNumbers(data.dtype) || (data.host === undefined && data.place === undefined)) {
      throw new Error(`cuda backend: expected a tensor of numbers, got ${data.dtype}`);
    }
    data.place ??= upload(data.host as unknown as ArrayLike<number>, data.dtype);
    return { data, place: data.place };
  }

  const methods = {
    write: (values: tf.BackendValues, _shape: number[], dtype: tf.DataType): object => add(take(values, dtype, 1)),
    move: (dataId: object, values: tf.BackendValues, _shape: number[], dtype: tf.DataType, refCount: number): void =>
      backend.data.set(dataId, take(values, dtype, refCount)),
    /** Takes a cpu kernel's result as it is: an array of its own, or a view of one that no kernel changes. */
    makeTensorInfo: (shape: number[], dtype: tf.DataType, values?: tf.BackendValues | string[]): tf.TensorInfo => {
      const encoded =
        dtype === 'string' && typeof values?.[0] === 'string'
          ? (values as string[]).map((text) => tf.util.encodeString(text))
          : (values as tf.BackendValues | undefined);
      return { dataId: add(new Data(dtype, 1, encoded)), shape, dtype };
    },
    makeOnCard: (shape: number[], dtype: NumberType, room = 0): tf.TensorInfo => {
      const count = tf.util.sizeFromShape(shape);
      const allocation = memory.allocate(count * NUMBER_BYTES[dtype] + room);
      const place = { allocation, address: allocation.address, count };
      return { dataId: add(new Data(dtype, 1, undefined, place)), shape, dtype };
    },
    makeAdjacentOutputs: (shapes: readonly number[][]): tf.TensorInfo[] => {
      const counts = shapes.map((shape) => tf.util.sizeFromShape(shape));
      const total = counts.reduce((sum, count) => sum + count, 0);
      const allocation = memory.allocate(total * NUMBER_BYTES.float32);
      allocation.users = shapes.length;
      let { address } = allocation;
      return shapes.map((shape, i) => {
        const place = { allocation, address, count: counts[i] };
        address += counts[i] * NUMBER_BYTES.float32;
        return { dataId: add(new Data('float32', 1, undefined, place)), shape, dtype: 'float32' };
      });
    },
    sameNumbers: ({ dataId, dtype }: tf.TensorInfo, shape: number[]): tf.TensorInfo => {
      backend.data.get(dataId).refCount++;
      return { dataId, shape, dtype };
    },
    isOnDevice: ({ dataId }: tf.TensorInfo): boolean => backend.data.get(dataId).place !== undefined,
    isOnHost: ({ dataId }: tf.TensorInfo): boolean => backend.data.get(dataId).host !== undefined,
    numbers: ({ dataId, dtype }: tf.TensorInfo): NumberArray => {
      const { values } = backend.data.get(dataId);
      if (values == null || !isNumbers(dtype)) {
        throw new Error(`cuda backend: expected a tensor of numbers, got ${dtype}`);
      }
      const kind = ARRAYS[dtype];
      return values instanceof kind ? (values as NumberArray) : kind.from(values as unknown as ArrayLike<number>);
    },
    address: (tensor: tf.TensorInfo): number => placeOf(tensor).place.address,
    ownAddress: (tensor: tf.TensorInfo): number => {
      const { data, place } = placeOf(tensor);
      if (data.refCount !== 1) {
        throw new Error(`cuda backend: expected numbers of a single tensor, got ${data.refCount} sharing them`);
      }
      backend.changed(tensor);
      return place.address;
    },
    changed: ({ dataId }: tf.TensorInfo): void => {
      const data = backend.data.get(dataId);
      data.host = undefined;
      data.uniform = undefined;
    },
    uniform: ({ dataId }: tf.TensorInfo): number | undefined => {
      const { uniform, host } = backend.data.get(dataId);
      return uniform ?? (host === undefined ? undefined : uniformOf(host as unknown as ArrayLike<number>));
    },
    readSync: (dataId: object): tf.BackendValues => {
      const data = backend.data.get(dataId);
      const { dtype, place } = data;
      if (data.host === undefined && place !== undefined && place.count * NUMBER_BYTES.float32 > KEPT_BYTES) {
        return fetch(place, dtype as NumberType);
      }
      const values = inherited.readSync(dataId);
      const kept = values === data.host && ArrayBuffer.isView(values);
      return kept ? (values as unknown as NumberArray).slice() : values;
    },
    read: async (dataId: object): Promise<tf.BackendValues> => {
      const { dtype, host, place } = backend.data.get(dataId);
      if (host !== undefined || place === undefined || place.count === 0) return backend.readSync(dataId);
      const array = new ARRAYS[dtype as NumberType](place.count);
      memory.flush();
      await addon.downloadLater(place.address, array);
      return array;
    },
    disposeData: (dataId: object, force = false): boolean => {
      if (!backend.data.has(dataId)) return true;
      const { place } = backend.data.get(dataId);
      const disposed = inherited.disposeData(dataId, force);
      if (disposed && place !== undefined) memory.release(place.allocation);
      return disposed;
    },
    memory: () => ({ unreliable: false, device: addon.memory() }),
  };
  return Object.assign(backend, methods);
}
