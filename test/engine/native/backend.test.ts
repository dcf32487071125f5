import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { nativeKernels } from '../../../src/engine/native/kernels/index.js';
import { createMemoryPool } from '../../../src/engine/native/memoryPool.js';
import { addon, normalNumbers } from '../../support/kernelComparison.js';

interface PoolMemory {
  readonly pool: { readonly used: number; readonly free: number };
}

function poolSize(): PoolMemory['pool'] {
  return (tf.memory() as unknown as PoolMemory).pool;
}

describe.skipIf(addon === undefined)('the native backend', () => {
  beforeAll(async () => {
    await selectEngine('native');
  });

  it('keeps its numbers to itself: arrays given and received are copies', () => {
    const given = Float32Array.of(1, 2, 3);
    const x = tf.tensor1d(given);
    given[0] = 99;
    const received = x.dataSync();
    received[1] = 99;
    expect([...x.dataSync()]).toEqual([1, 2, 3]);
    x.dispose();
    const y = tf.tensor1d([4, 5, 6]);
    expect([...received]).toEqual([1, 99, 3]);
    y.dispose();
  });

  it('keeps a part of a tensor whole when the tensor is disposed and its memory used again', () => {
    const x = tf.tensor1d([1, 2, 3, 4]);
    // stridedSlice and reverse are JavaScript kernels; the first makes a view of x.
    const parts = [tf.slice(x, 1, 2), tf.stridedSlice(x, [1], [3]), tf.reshape(x, [2, 2]), tf.reverse(x)];
    x.dispose();
    const others = Array.from({ length: 8 }, () => tf.fill([4], 7));
    expect(parts.map((part) => [...part.dataSync()])).toEqual([
      [2, 3],
      [2, 3],
      [1, 2, 3, 4],
      [4, 3, 2, 1],
    ]);
    tf.dispose([...parts, ...others]);
  });

  it('takes tensors over from another backend and gives them back', async () => {
    const numbers = normalNumbers(1, [37]);
    await selectEngine('cpu');
    const x = tf.tensor1d(numbers);
    await selectEngine('native');
    const y = tf.add(x, 1);
    await selectEngine('cpu');
    const z = tf.sub(y, 1);
    expect([...z.dataSync()].every((value, i) => Math.abs(value - numbers[i]) < 1e-6)).toBe(true);
    await selectEngine('native');
    tf.dispose([x, y, z]);
  });

  it('holds strings and complex numbers as the cpu backend does', () => {
    tf.tidy(() => {
      expect(tf.tensor1d(['a', 'ü']).dataSync()).toEqual(['a', 'ü']);
      const spectrum = tf.fft(tf.complex(tf.tensor1d([1, 1]), tf.tensor1d([0, 0])));
      expect([...tf.real(spectrum).dataSync()]).toEqual([2, 0]);
    });
  });

  it('computes the absolute values of whole and of complex numbers', () => {
    tf.tidy(() => {
      expect([...tf.abs(tf.tensor1d([-3, 4], 'int32')).dataSync()]).toEqual([3, 4]);
      expect([...tf.abs(tf.complex(tf.tensor1d([3]), tf.tensor1d([4]))).dataSync()]).toEqual([5]);
    });
  });

  it('uses the same memory step after step', () => {
    const step = (): void =>
      tf.tidy(() => {
        const x = tf.variable(tf.tensor2d(normalNumbers(1, [64, 32]), [64, 32]));
        const { grads } = tf.variableGrads(() => tf.sum(tf.square(tf.softmax(tf.matMul(x, x, false, true)))));
        tf.dispose([x, grads]);
      });
    step();
    const before = { memory: tf.memory(), pool: poolSize() };
    for (let i = 0; i < 50; i++) step();
    expect(tf.memory().numTensors).toBe(before.memory.numTensors);
    expect(tf.memory().numBytes).toBe(before.memory.numBytes);
    expect(poolSize()).toEqual(before.pool);
  });

  it('keeps nothing of a kernel that failed', () => {
    const [x, indices] = [tf.ones([5, 2]), tf.tensor1d([7], 'int32')];
    const before = poolSize().used;
    for (let i = 0; i < 3; i++) expect(() => tf.gather(x, indices)).toThrow(/expected indices in \[0, 5\), got 7/);
    expect(poolSize().used).toBe(before);
    tf.dispose([x, indices]);
  });

  it('says which kernels are compiled and which run as JavaScript', () => {
    const { compiled, javaScript } = nativeKernels();
    expect(compiled).toEqual(
      expect.arrayContaining(['AdamWUpdate', 'BatchMatMul', 'Pattention', 'TokenAttentionGrad']),
    );
    expect(javaScript).toEqual(expect.arrayContaining(['Conv2D', 'TopK']));
    expect(compiled.filter((name) => javaScript.includes(name))).toEqual([]);
    const all = tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName);
    expect(all.filter((name) => !compiled.includes(name) && !javaScript.includes(name))).toEqual([]);
  });

  it('runs every compiled instruction set this processor has', () => {
    const names = ['sse2', 'avx2', ''].map((limit) => addon!.choose(limit));
    if (process.arch === 'x64') expect(names[0]).toBe('SSE2');
    expect(names.every((name) => ['SSE2', 'AVX2', 'AVX-512', 'NEON'].includes(name))).toBe(true);
  });
});

describe.skipIf(addon === undefined)('the memory pool', () => {
  it('gives aligned blocks, gives released ones again, and keeps no more free bytes than its limit', () => {
    const pool = createMemoryPool(addon!, 10_000);
    for (const bytes of [0, 1, 63, 64, 65, 1000, 4097]) {
      const block = pool.allocate(bytes);
      expect(addon!.alignment(block.buffer, block.capacity)).toBe(block.offset);
      expect(block.capacity).toBeGreaterThanOrEqual(bytes);
      expect(block.capacity).toBeLessThanOrEqual(Math.max(64, bytes * 1.125 + 64));
      expect(block.buffer.byteLength).toBeGreaterThanOrEqual(block.offset + block.capacity);
      expect(pool.size().used).toBe(block.capacity);
      pool.release(block);
      expect(pool.allocate(bytes)).toBe(block);
      pool.release(block);
      expect(pool.size().used).toBe(0);
    }
    const blocks = Array.from({ length: 20 }, () => pool.allocate(3000));
    expect(pool.size().used).toBeGreaterThan(60_000);
    for (const block of blocks) pool.release(block);
    expect(pool.size().used).toBe(0);
    expect(pool.size().free).toBeLessThanOrEqual(10_000);
  });
});
