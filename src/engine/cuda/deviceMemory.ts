import { RunError } from '#src/errors';
import type { CudaAddon } from './addon.js';
import type { Commands } from './kernels/index.js';

/** One or more neighbouring tensors' memory; freed when the last of its users releases it. */
export interface Allocation {
  readonly address: number;
  users: number;
}

/** Device memory for tensors and kernels. Commands may wait to be sent, and memory that they use is freed only after them. */
export interface DeviceMemory {
  /** Memory of a single user, at least a byte, 256-byte aligned, contents undefined. `isLasting`: see `CudaAddon.allocate`. */
  allocate(bytes: number, isLasting?: boolean): Allocation;
  release(allocation: Allocation): void;
  /** Sends what waits, then frees what was released in the meantime. */
  flush(): void;
  /** While more than none are held, commands may be waiting: releases wait until `flush`. */
  hold(): void;
  endHold(): void;
}

const MIB = 2 ** 20;

/**
 * @throws RunError (from `allocate`) when the card is full: what was asked for, what is in use, and what to do
 */
export function createDeviceMemory(
  addon: Pick<CudaAddon, 'allocate' | 'free' | 'memory'>,
  commands: Pick<Commands, 'flush'>,
): DeviceMemory {
  let released: number[] = [];
  let holds = 0;

  const flush = (): void => {
    commands.flush();
    if (released.length === 0) return;
    const addresses = released;
    released = [];
    for (const address of addresses) addon.free(address);
  };

  const outOfMemory = (bytes: number): RunError => {
    const { used, total } = addon.memory();
    const [asked, inUse, all] = [bytes, used, total].map((size) => `${(size / MIB).toFixed(1)} MiB`);
    const error = new RunError(
      `cuda engine: expected room for ${asked} more, got a card of ${all} with ${inUse} in use by this process; ` +
        'use training.recompute, a smaller training.batchSize (and more micro-batches), shorter sequences, bf16, or a larger card',
    );
    return Object.assign(error, { code: 'CUDA_OUT_OF_MEMORY' });
  };

  return {
    allocate: (bytes, isLasting) => {
      const size = Math.max(1, bytes);
      try {
        return { address: addon.allocate(size, isLasting), users: 1 };
      } catch (error) {
        if ((error as { code?: string }).code !== 'CUDA_OUT_OF_MEMORY') throw error;
      }
      flush(); // gives back what kernels have released
      try {
        return { address: addon.allocate(size, isLasting), users: 1 };
      } catch (error) {
        throw (error as { code?: string }).code === 'CUDA_OUT_OF_MEMORY' ? outOfMemory(size) : error;
      }
    },
    release: (allocation) => {
      allocation.users--;
      if (allocation.users > 0) return;
      if (holds > 0) released.push(allocation.address);
      else addon.free(allocation.address);
    },
    flush,
    hold: () => void holds++,
    endHold: () => void holds--,
  };
}
