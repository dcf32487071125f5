/**
 * @file The functions of the addon that the CUDA engine is built on; cpp/ has them. An address is a number: device addresses are
 * below 2^53. All work is done in the order in which it was asked for, on one stream.
 */

/** What the addon loaded, and the card. */
export interface CudaFacts {
  /** As 'NVIDIA H100 80GB HBM3'. */
  readonly card: string;
  /** Compute capability times ten: 90 for 9.0. */
  readonly capability: number;
  readonly multiprocessors: number;
  /** Bytes of device memory. */
  readonly memory: number;
  /** The largest dynamic shared memory of a block, in bytes. */
  readonly sharedMemory: number;
  /** As 13000 for 13.0. */
  readonly driverVersion: number;
  readonly nvrtcVersion: string;
  readonly cublasLtVersion: number;
  /** Files that were loaded. */
  readonly libraries: { readonly driver: string; readonly nvrtc: string; readonly cublasLt: string };
}

/** Files to try, in order, for each library. */
export interface LibraryPlaces {
  readonly driver: readonly string[];
  readonly nvrtc: readonly string[];
  readonly cublasLt: readonly string[];
}

export interface DeviceMemory {
  /** Bytes of all allocations that are in use. */
  readonly used: number;
  /** The most that were in use at once since the start or the last `resetPeak`. */
  readonly peak: number;
  /** Bytes held by the pool, in use or not. */
  readonly reserved: number;
  /** Of the whole card. */
  readonly free: number;
  readonly total: number;
}

/**
 * Every function throws an Error whose message is one line; its `code` is 'CUDA_OUT_OF_MEMORY' when the card is full, 'CUDA_LOST'
 * when the device no longer answers (any sticky error), 'CUDA_CAPTURE' for what cannot be done while commands are recorded, 'CUDA_COMPILE' for source that does not compile (message: the log), and
 * 'CUDA_LIBRARY' when a library cannot be loaded (message: which, and every place that was tried with why not).
 */
export interface CudaAddon {
  /** Loads the libraries and opens the first card (CUDA_VISIBLE_DEVICES is the driver's). */
  open(places: LibraryPlaces): CudaFacts;
  /** Compiles CUDA C++ to a cubin for the card, or for another `options` names. Needs only NVRTC. */
  compile(source: string, name: string, options: readonly string[]): Uint8Array<ArrayBuffer>;
  /** Loads a cubin and returns the ids of these kernels; each may then have as much dynamic shared memory as the card allows. */
  loadKernels(cubin: Uint8Array, names: readonly string[]): number[];

  /** `isLasting`: while commands are recorded, for numbers that are uploaded then, and read whenever the graph runs. */
  allocate(bytes: number, isLasting?: boolean): number;
  free(address: number): void;
  memory(): DeviceMemory;
  resetPeak(): void;

  /** Copies an array's bytes to the device through pinned memory; the array may change once this returns. */
  upload(address: number, source: ArrayBufferView): void;
  /** Waits, then fills an array with bytes from the device. */
  download(address: number, target: ArrayBufferView): void;
  /** The same without blocking: the promise is kept when the work asked for so far, and the copy, are done. */
  downloadLater(address: number, target: ArrayBufferView): Promise<void>;
  synchronize(): void;

  /** Runs encoded commands (commands.ts), `length` words of them. Allocates nothing. */
  execute(words: Float64Array, length: number): void;

  /**
   * Commands until `endCapture` are recorded, not run. Memory taken meanwhile is the graph's.
   *
   * @param keepsAll whether all other memory that the commands use stays too until the graph is freed, even if it is freed before
   */
  beginCapture(keepsAll?: boolean): void;
  /** The id of the recorded graph. */
  endCapture(): number;
  launchGraph(id: number): void;
  freeGraph(id: number): void;

  /** Marks a point in the stream; `elapsed` waits for the second and gives milliseconds between two marks. */
  mark(): number;
  elapsed(from: number, to: number): number;
  freeMark(id: number): void;
}
