import type { Addon } from './addon.js';

/** Memory for tensors, reused once they are disposed, so a step finds the pages of the previous one. */
export interface MemoryPool {
  /** `bytes` bytes, 64-byte aligned, contents undefined. */
  allocate(bytes: number): PoolBlock;
  release(block: PoolBlock): void;
  /** Whether this buffer belongs to the pool and may be reused. */
  owns(buffer: ArrayBufferLike): boolean;
  /** Bytes of blocks in use, of free ones kept for later, and how many of those are kept at most. */
  size(): { readonly used: number; readonly free: number; readonly limit: number };
}

export interface PoolBlock {
  readonly buffer: ArrayBuffer;
  /** Offset of the first byte at a multiple of 64. */
  readonly offset: number;
  /** Bytes from there on. */
  readonly capacity: number;
}

/** Bytes of a cache line, and the step between small block sizes. */
const LINE = 64;

/**
 * Blocks are ordinary ArrayBuffers that the garbage collector knows: a view that outlives its tensor may see other
 * numbers, never foreign memory. Sizes are rounded up by at most an eighth, so that blocks can be reused.
 *
 * @param limit bytes of free blocks kept; beyond it the longest unused go back to the system
 */
export function createMemoryPool(addon: Pick<Addon, 'alignment'>, limit: number): MemoryPool {
  const free = new Map<number, PoolBlock[]>(); // by capacity; sizes used last are last
  const buffers = new WeakSet<ArrayBufferLike>();
  let freeBytes = 0;
  let usedBytes = 0;

  /** Drops blocks of the least recently used sizes. */
  function shrink(): void {
    for (const [capacity, blocks] of free) {
      while (freeBytes > limit && blocks.length > 0) {
        blocks.pop();
        freeBytes -= capacity;
      }
      if (freeBytes <= limit) return;
      free.delete(capacity);
    }
  }

  return {
    allocate(bytes) {
      const capacity = roundSize(bytes);
      usedBytes += capacity;
      const blocks = free.get(capacity);
      const kept = blocks?.pop();
      if (blocks !== undefined) {
        free.delete(capacity);
        free.set(capacity, blocks);
      }
      if (kept !== undefined) {
        freeBytes -= capacity;
        return kept;
      }
      const buffer = new ArrayBuffer(capacity + LINE);
      buffers.add(buffer);
      return { buffer, offset: addon.alignment(buffer, capacity), capacity };
    },
    release(block) {
      const blocks = free.get(block.capacity);
      if (blocks === undefined) free.set(block.capacity, [block]);
      else blocks.push(block);
      usedBytes -= block.capacity;
      freeBytes += block.capacity;
      if (freeBytes > limit) shrink();
    },
    owns: (buffer) => buffers.has(buffer),
    size: () => ({ used: usedBytes, free: freeBytes, limit }),
  };
}

/** The next block size: eight to a power of two, and multiples of a cache line. */
function roundSize(bytes: number): number {
  const step = Math.max(LINE, 2 ** (Math.floor(Math.log2(Math.max(bytes, 1))) - 3));
  return Math.max(LINE, Math.ceil(bytes / step) * step);
}
