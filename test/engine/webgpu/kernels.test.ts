import { expect, it } from 'vitest';
import { ENGINES, FUSED_KERNEL_NAMES, tf } from '#src/engine';
import { layerNormalize, squaredNorm } from '#src/kernels';
import { describeWebgpu } from './describeWebgpu.js';

describeWebgpu('the fused kernels', () => {
  it('are there, so that the tests of each engine in test/kernels are about them', () => {
    const installed = FUSED_KERNEL_NAMES.filter((name) => tf.getKernel(name, 'webgpu') != null);
    expect(installed.sort()).toEqual(Object.keys(ENGINES.webgpu.fusedKernels).sort());
  });

  it('take more rows than one dimension of a dispatch', async () => {
    const rows = 65536 + 7;
    const normalized = await layerNormalize(tf.tile(tf.tensor2d([[1, 3]]), [rows, 1])).data();
    expect(normalized).toHaveLength(2 * rows);
    const [low, high] = [normalized.filter((_, i) => i % 2 === 0), normalized.filter((_, i) => i % 2 === 1)];
    expect(new Set(low).size).toBe(1);
    expect(new Set(high).size).toBe(1);
    expect(low[0]).toBeCloseTo(-1, 4);
    expect(high[0]).toBeCloseTo(1, 4);
  }, 300_000);

  it('take rows longer than a workgroup has threads', async () => {
    const width = 1000;
    const row = Float32Array.from({ length: width }, (_, i) => i);
    const normalized = await layerNormalize(tf.tensor2d(row, [1, width])).data();
    const mean = (width - 1) / 2;
    const deviation = Math.sqrt((width * width - 1) / 12);
    for (const i of [0, 255, 256, 511, 999]) expect(normalized[i]).toBeCloseTo((i - mean) / deviation, 5);
  });

  it('add up every piece of tensors of several', async () => {
    const norm = squaredNorm([tf.fill([3, 5000], 2), tf.ones([4096]), tf.ones([4097])]);
    expect([...(await norm.data())]).toEqual([4 * 15000 + 4096 + 4097]);
  });
});
