import type { WebgpuBackend } from './backend.js';

/** As much as `native` keeps for reuse. */
const MOST_KEPT_BYTES = 4 * 2 ** 30;

/**
 * Bounds what the backend keeps for reuse. As shipped it keeps every released buffer by size, so growing lengths, as in
 * decoding, would pile up buffers of every size.
 */
export function boundBufferPool(backend: WebgpuBackend, mostKeptBytes = MOST_KEPT_BYTES): void {
  const pool = backend.bufferManager;
  const { releaseBuffer } = pool;
  pool.releaseBuffer = (buffer, reuse) => {
    releaseBuffer.call(pool, buffer, reuse);
    if (pool.numBytesAllocated - pool.numBytesUsed <= mostKeptBytes) return;
    for (const kept of pool.freeBuffers.values()) {
      for (const each of kept.splice(0)) {
        each.destroy();
        pool.numBytesAllocated -= each.size;
        pool.numFreeBuffers--;
      }
    }
  };
}
