import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import { describeEachEngine } from './eachEngine.js';

/** Ten steps of gradient descent on an embedding, two matrices and an attention-like product; the parameters' bytes. */
async function train(seed: number): Promise<Buffer> {
  const random = createRandom(seed, 'determinism');
  const parameter = (rows: number, columns: number): tf.Variable => {
    const values = Float32Array.from({ length: rows * columns }, random.normal);
    return tf.tidy(() => tf.variable(tf.tensor2d(values, [rows, columns])));
  };
  const [embedding, wide, narrow] = [parameter(13, 16), parameter(16, 32), parameter(32, 16)];
  const parameters = [embedding, wide, narrow];
  for (let step = 0; step < 10; step++) {
    const ids = tf.tensor1d(Int32Array.from({ length: 24 }, () => random.integer(13)));
    const { value, grads } = tf.variableGrads(() => {
      const x = tf.gather(embedding, ids); // [tokens, 16]
      const weights = tf.softmax(tf.matMul(x, x, false, true)); // [tokens, tokens]
      const hidden = tf.matMul(tf.tanh(tf.matMul(tf.matMul(weights, x), wide)), narrow); // [tokens, 16]
      return tf.mean(tf.square(tf.sub(hidden, x))) as tf.Scalar;
    }, parameters);
    for (const variable of parameters) {
      const updated = tf.tidy(() => tf.sub(variable, tf.mul(0.05, grads[variable.name])));
      variable.assign(updated);
      updated.dispose();
    }
    tf.dispose([ids, value, grads]);
  }
  const arrays = await Promise.all(parameters.map((variable) => variable.data()));
  tf.dispose(parameters);
  return Buffer.concat(
    arrays.map((array) => Buffer.from(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))),
  );
}

describeEachEngine('training', (engine) => {
  it('gives the same bytes from the same seed, and others from another', async () => {
    const tensorsBefore = tf.memory().numTensors;
    const first = await train(1);
    expect(tf.getBackend()).toBe(engine);
    expect(first.length).toBe(4 * (13 * 16 + 2 * 16 * 32));
    expect((await train(1)).equals(first)).toBe(true);
    expect((await train(2)).equals(first)).toBe(false);
    expect(tf.memory().numTensors).toBe(tensorsBefore);
  });
});
