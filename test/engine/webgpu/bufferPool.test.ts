import { expect, it } from 'vitest';
import type { GpuBuffer, WebgpuBackend } from '../../../src/engine/webgpu/backend.js';
import { boundBufferPool } from '../../../src/engine/webgpu/bufferPool.js';

/** The bookkeeping of the backend's pool, with buffers of nothing; `destroyed` are those it let go. */
function fakePool(mostKeptBytes: number) {
  const destroyed: number[] = [];
  const pool = {
    numBytesAllocated: 0,
    numBytesUsed: 0,
    numFreeBuffers: 0,
    freeBuffers: new Map<string, GpuBuffer[]>(),
    acquireBuffer: (size: number) => {
      pool.numBytesAllocated += size;
      pool.numBytesUsed += size;
      return { size, destroy: () => destroyed.push(size) } as unknown as GpuBuffer;
    },
    releaseBuffer: (buffer: GpuBuffer) => {
      pool.numBytesUsed -= buffer.size;
      pool.numFreeBuffers++;
      pool.freeBuffers.set(`${buffer.size}`, [...(pool.freeBuffers.get(`${buffer.size}`) ?? []), buffer]);
    },
  };
  boundBufferPool({ bufferManager: pool } as unknown as WebgpuBackend, mostKeptBytes);
  return { pool, destroyed };
}

it('keeps released buffers up to the bound', () => {
  const { pool, destroyed } = fakePool(100);
  for (const buffer of [40, 60].map((size) => pool.acquireBuffer(size))) pool.releaseBuffer(buffer);
  expect(destroyed).toEqual([]);
  expect(pool.numFreeBuffers).toBe(2);
});

it('lets all of them go beyond it, and nothing that is in use', () => {
  const { pool, destroyed } = fakePool(100);
  pool.acquireBuffer(1000);
  for (const buffer of [40, 60, 80].map((size) => pool.acquireBuffer(size))) pool.releaseBuffer(buffer);
  expect(destroyed).toEqual([40, 60, 80]);
  expect(pool).toMatchObject({ numFreeBuffers: 0, numBytesAllocated: 1000, numBytesUsed: 1000 });
});
