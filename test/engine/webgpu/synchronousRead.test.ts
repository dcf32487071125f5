import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { describeWebgpu } from './describeWebgpu.js';

describeWebgpu('dataSync', () => {
  it('reads what was computed just before', () => {
    const x = tf.add(tf.tensor2d([[1, 2.5]]), 1);
    expect([...x.dataSync()]).toEqual([2, 3.5]);
  });

  it('reads integers as integers', () => {
    expect([...tf.add(tf.tensor1d([1, -2], 'int32'), tf.scalar(3, 'int32')).dataSync()]).toEqual([4, 1]);
  });

  it('leaves a reading that waits its turn to itself', async () => {
    const x = tf.add(tf.tensor1d([1, 2]), 1);
    const y = tf.mul(x, 10);
    const waiting = x.data();
    expect([...y.dataSync()]).toEqual([20, 30]);
    expect([...(await waiting)]).toEqual([2, 3]);
  });

  it('gives the global setImmediate back', () => {
    const { setImmediate } = globalThis;
    tf.add(tf.tensor1d([1]), 1).dataSync();
    expect(globalThis.setImmediate).toBe(setImmediate);
  });
});
