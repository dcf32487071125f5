import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { patchify } from '#vision';
import { describeEachEngine } from '../../engine/eachEngine.js';

describeEachEngine('patchify', () => {
  it('cuts an image row by row, and a patch by row, column and channel', () => {
    // Pixel (row, column, channel) has the value 100 · row + 10 · column + channel.
    const pixels = Array.from({ length: 4 }, (_, r) =>
      Array.from({ length: 4 }, (_, c) => Array.from({ length: 3 }, (_, channel) => 100 * r + 10 * c + channel)),
    );
    const patches = patchify(tf.tensor4d([pixels]), 2);
    expect(patches.shape).toEqual([1, 4, 12]);
    expect(patches.arraySync()[0]).toEqual([
      [0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112],
      [20, 21, 22, 30, 31, 32, 120, 121, 122, 130, 131, 132],
      [200, 201, 202, 210, 211, 212, 300, 301, 302, 310, 311, 312],
      [220, 221, 222, 230, 231, 232, 320, 321, 322, 330, 331, 332],
    ]);
  });

  it('keeps images apart', () => {
    const images = tf.stack([tf.zeros([4, 4, 3]), tf.ones([4, 4, 3])]) as tf.Tensor4D;
    const [first, second] = tf.unstack(patchify(images, 4));
    expect([...tf.max(first).dataSync(), ...tf.min(second).dataSync()]).toEqual([0, 1]);
  });

  it('of one patch an image is the image', () => {
    const image = tf.range(0, 48).reshape([1, 4, 4, 3]) as tf.Tensor4D;
    expect([...patchify(image, 4).dataSync()]).toEqual([...image.dataSync()]);
  });
});
