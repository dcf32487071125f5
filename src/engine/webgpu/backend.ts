/** @file The parts of TensorFlow.js' `WebGPUBackend` and of WebGPU that are used here; neither ships types. */
import type { tf } from '../shared/index.js';

/** A shader with its inputs by name; the backend declares `result`, the inputs and `uniforms` around `getUserCode`. */
export interface Program {
  readonly variableNames: readonly string[];
  readonly outputShape: readonly number[];
  readonly workgroupSize: readonly [number, number, number];
  readonly dispatchLayout: { readonly x: readonly number[] };
  readonly dispatch: readonly [number, number, number];
  /** Declares `uniforms.size`, the number of outputs. */
  readonly size?: boolean;
  /** Declarations of further uniforms. */
  readonly uniforms?: string;
  /** Names the compiled pipeline, together with what the backend adds of ranks and types. */
  readonly shaderKey: string;
  getUserCode(): string;
}

export type UniformValue = { readonly type: 'int32' | 'float32'; readonly data: number[] };

/** The backend's record of a tensor: `values` on the CPU, `resource` on the GPU. */
export interface TensorData {
  values: tf.BackendValues | null;
  readonly resource?: GpuBuffer | null;
  readonly dtype: tf.DataType;
}

export interface WebgpuBackend {
  readonly device: GpuDevice;
  readonly tensorMap: { get(dataId: object): TensorData };
  readonly bufferManager: BufferManager;
  readonly commandEncoder: {
    copyBufferToBuffer(from: GpuBuffer, fromOffset: number, to: GpuBuffer, toOffset: number, size: number): void;
  };
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  read(dataId: object): Promise<tf.BackendValues>;
  readSync(dataId: object): tf.BackendValues;
  makeTensorInfo(shape: readonly number[], dtype: tf.DataType, values?: tf.BackendValues): tf.TensorInfo;
  disposeData(dataId: object): boolean;
  /** Writes into `output`, where it is given: the shader finds its numbers in `result` and may read them first. */
  runWebGPUProgram(
    program: Program,
    inputs: readonly tf.TensorInfo[],
    dtype: tf.DataType,
    uniforms?: readonly UniformValue[],
    output?: tf.TensorInfo,
  ): tf.TensorInfo;
}

/** The backend's buffers, by size and use: those of tensors, and those kept for reuse. */
export interface BufferManager {
  numBytesAllocated: number;
  readonly numBytesUsed: number;
  numFreeBuffers: number;
  readonly freeBuffers: ReadonlyMap<string, GpuBuffer[]>;
  acquireBuffer(size: number, usage: number): GpuBuffer;
  /** `reuse` false: destroyed instead of kept. */
  releaseBuffer(buffer: GpuBuffer, reuse?: boolean): void;
}

export interface GpuBuffer {
  readonly size: number;
  readonly mapState: 'unmapped' | 'pending' | 'mapped';
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

export interface GpuError {
  readonly message: string;
}

export interface GpuDevice {
  readonly limits: Readonly<Record<string, number>>;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  addEventListener(
    type: 'uncapturederror',
    listener: (event: { readonly error: GpuError; preventDefault(): void }) => void,
  ): void;
}
