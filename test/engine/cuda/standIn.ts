import type { CudaAddon, CudaFacts } from '../../../src/engine/cuda/addon.js';

/** Everything of the addon that needs no kernel, on memory of the host; commands are counted, not run. */
export interface StandIn extends CudaAddon {
  /** Addresses in use and how many bytes each has. */
  readonly allocations: ReadonlyMap<number, number>;
  /** Calls that moved numbers between host and device, in order. */
  readonly copies: readonly string[];
  /** Calls of `execute`. */
  executed(): number;
  /** The most bytes that can be in use; more is out of memory. */
  limit: number;
}

export const FACTS: CudaFacts = {
  card: 'stand-in',
  capability: 90,
  multiprocessors: 4,
  memory: 2 ** 30,
  sharedMemory: 228 * 1024,
  driverVersion: 13000,
  nvrtcVersion: '13.0',
  cublasLtVersion: 130000,
  libraries: { driver: '', nvrtc: '', cublasLt: '' },
};

export function createStandIn(): StandIn {
  const store = new Uint8Array(2 ** 24);
  const allocations = new Map<number, number>();
  const copies: string[] = [];
  let executed = 0;
  let next = 256;
  const none = (): never => {
    throw new Error('stand-in: not here');
  };
  const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const used = (): number => [...allocations.values()].reduce((sum, bytes) => sum + bytes, 0);
  const download = (address: number, target: ArrayBufferView): void => {
    copies.push(`down ${target.byteLength}`);
    bytesOf(target).set(store.subarray(address, address + target.byteLength));
  };
  const standIn: StandIn = {
    allocations,
    copies,
    executed: () => executed,
    limit: Number.POSITIVE_INFINITY,
    open: () => FACTS,
    compile: none,
    loadKernels: (_cubin, names) => names.map((_, i) => i),
    allocate: (bytes) => {
      if (used() + bytes > standIn.limit) throw Object.assign(new Error('full'), { code: 'CUDA_OUT_OF_MEMORY' });
      const address = next;
      next += Math.ceil(bytes / 256) * 256;
      allocations.set(address, bytes);
      return address;
    },
    free: (address) => {
      if (!allocations.delete(address)) throw new Error(`stand-in: ${address} is not in use`);
    },
    memory: () => ({ used: used(), peak: 0, reserved: 0, free: 0, total: 2 ** 30 }),
    resetPeak: () => undefined,
    upload: (address, source) => {
      copies.push(`up ${source.byteLength}`);
      store.set(bytesOf(source), address);
    },
    download,
    downloadLater: async (address, target) => {
      await Promise.resolve();
      download(address, target);
    },
    synchronize: () => undefined,
    execute: () => void executed++,
    beginCapture: none,
    endCapture: none,
    launchGraph: none,
    freeGraph: none,
    mark: none,
    elapsed: none,
    freeMark: none,
  };
  return standIn;
}
