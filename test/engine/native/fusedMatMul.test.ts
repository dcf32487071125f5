import { expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { describeNative, differences, normalNumbers } from '../../support/kernelComparison.js';

// Sums of seven products of normal numbers.
const TOLERANCE = 2e-6;

describeNative('_FusedMatMul', () => {
  it.each(['linear', 'relu', 'relu6', 'elu', 'prelu', 'leakyrelu', 'sigmoid'] as const)(
    'with a bias and an activation, %s',
    async (activation) => {
      const compute = (): tf.Tensor[] => {
        const [a, b] = [tf.tensor2d(normalNumbers(1, [9, 7]), [9, 7]), tf.tensor2d(normalNumbers(2, [5, 7]), [5, 7])];
        const bias = tf.tensor1d(normalNumbers(3, [5]));
        const preluActivationWeights = tf.tensor2d(normalNumbers(4, [1, 5]), [1, 5]);
        return [tf.fused.matMul({ a, b, transposeB: true, bias, activation, preluActivationWeights })];
      };
      expect((await differences(compute))[0]).toBeLessThan(TOLERANCE);
      // Nothing on the way stays behind.
      await selectEngine('native');
      tf.tidy(() => void compute());
      expect((tf.backend() as unknown as { numDataIds(): number }).numDataIds()).toBe(tf.engine().state.numDataBuffers);
    },
  );
});
