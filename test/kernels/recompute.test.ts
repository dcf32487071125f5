import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { isRecomputing, recomputed, withRecomputation } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';

describeEachEngine('recomputed', () => {
  /** Gradients of Σ sin(w y)², y = x², with y a tensor that is gone by the backward pass; how often the function ran. */
  function pass(on: boolean): { gradients: number[][]; runs: number; value: number } {
    const [x, w] = [
      [0.5, -1, 2],
      [1, 2, 3],
    ].map((values) => tf.tidy(() => tf.variable(tf.tensor1d(values))));
    let runs = 0;
    const { value, grads } = withRecomputation(on, () =>
      tf.variableGrads(() => {
        const y = tf.square(x);
        const run = (of: tf.Tensor): tf.Tensor => {
          runs++;
          return tf.square(tf.sin(tf.mul(of, w)));
        };
        const result = isRecomputing() ? recomputed({ differentiated: [y, w] }, (kept) => run(kept(y))) : run(y);
        return tf.sum(result) as tf.Scalar;
      }, [x, w]),
    );
    const gradients = [x, w].map(({ name }) => [...grads[name].dataSync()]);
    const result = { gradients, runs, value: value.dataSync()[0] };
    tf.dispose([value, grads, x, w]);
    return result;
  }

  it('has the value and the gradients of a computation that keeps all, and runs once more for them', () => {
    const [kept, again] = [pass(false), pass(true)];
    expect([kept.runs, again.runs]).toEqual([1, 2]);
    expect({ ...again, runs: 1 }).toEqual(kept);
    expect(Math.min(...kept.gradients.flat().map(Math.abs))).toBeGreaterThan(0.1);
  });

  it('is for gradients alone, and for as long as it is asked for', () => {
    const seen = withRecomputation(true, () => [
      isRecomputing(),
      tf.tidy(() => {
        let inside = false;
        tf.grad((x) => {
          inside = isRecomputing();
          return withRecomputation(false, () => (isRecomputing() ? tf.neg(x) : tf.square(x)));
        })(tf.scalar(2));
        return inside;
      }),
    ]);
    expect(seen).toEqual([false, true]);
    expect(pass(false).runs).toBe(1);
  });

  it('that fails in the backward pass leaves nothing in the way of the next gradient', () => {
    const x = tf.variable(tf.scalar(2));
    const before = pass(true);
    let runs = 0;
    const failing = (): unknown =>
      withRecomputation(true, () =>
        tf.variableGrads(
          () =>
            recomputed({ differentiated: [x] }, () => {
              if (++runs === 2) throw new RangeError('no memory');
              return tf.square(x) as tf.Scalar;
            }),
          [x],
        ),
      );
    expect(failing).toThrow('no memory');
    expect(isRecomputing()).toBe(false);
    expect(pass(true)).toEqual(before);
    x.dispose();
  });

  it('leaves no tensor behind', () => {
    pass(true);
    const { numTensors } = tf.memory();
    pass(true);
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});
