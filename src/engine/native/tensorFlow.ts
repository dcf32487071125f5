/**
 * @file The part of TensorFlow.js 4.22 that is used here. It is handed in by the caller: this folder imports nothing of
 * the others, and of TensorFlow.js there must be one copy.
 */

export type DataType = 'float32' | 'int32' | 'bool' | 'complex64' | 'string';

/** The numbers of a tensor, or of strings their bytes. */
export type BackendValues = Float32Array | Int32Array | Uint8Array | Uint8Array[];

export interface TensorInfo {
  readonly dataId: object;
  readonly shape: number[];
  readonly dtype: DataType;
}

export type Tensors = Record<string, TensorInfo>;
export type Attributes = Record<string, unknown>;

export interface KernelConfig {
  readonly kernelName: string;
  readonly backendName: string;
  readonly kernelFunc: (args: {
    inputs: Tensors;
    backend: unknown;
    attrs?: Attributes | undefined;
  }) => TensorInfo | TensorInfo[];
}

/** What a backend gives TensorFlow.js beside its kernels. */
export interface KernelBackend {
  write(values: BackendValues, shape: number[], dtype: DataType): object;
  move(dataId: object, values: BackendValues, shape: number[], dtype: DataType, refCount: number): void;
  read(dataId: object): Promise<BackendValues>;
  readSync(dataId: object): BackendValues;
  disposeData(dataId: object, force?: boolean): boolean;
}

export interface Tf {
  findBackend(name: string): object | null;
  findBackendFactory(name: string): unknown;
  registerBackend(name: string, factory: () => KernelBackend): boolean;
  getKernel(kernelName: string, backendName: string): KernelConfig | undefined;
  getKernelsForBackend(backendName: string): KernelConfig[];
  registerKernel(config: KernelConfig): void;
  unregisterKernel(kernelName: string, backendName: string): void;
  readonly util: {
    bytesPerElement(dtype: DataType): number;
    encodeString(text: string): Uint8Array;
    parseAxisParam(axis: number | number[], shape: number[]): number[];
  };
  readonly broadcast_util: { assertAndGetBroadcastShape(a: number[], b: number[]): number[] };
  readonly slice_util: {
    parseSliceParams(x: TensorInfo, begin: number | number[], size?: number | number[]): number[][];
    assertParamsValid(x: TensorInfo, begin: number[], size: number[]): void;
  };
  readonly backend_util: {
    prepareSplitSize(x: TensorInfo, numOrSizeSplits: number[] | number, axis: number): number[];
    computeOutShape(shapes: number[][], axis: number): number[];
    assertParamsConsistent(shapes: number[][], axis: number): void;
    readonly segment_util: {
      collectGatherOpShapeInfo(
        x: TensorInfo,
        indices: TensorInfo,
        axis: number,
        batchDims: number,
      ): { batchSize: number; outerSize: number; dimSize: number; sliceSize: number; outputShape: number[] };
    };
  };
}
