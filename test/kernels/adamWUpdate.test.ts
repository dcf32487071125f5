import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { type AdamWParameter, adamWStep, adamWUpdate } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { randomValues } from '../support/randomValues.js';

const settings = { learningRate: 0.1, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, gradientScale: 0.5 };

function parametersOf(shapes: number[][]): AdamWParameter[] {
  return shapes.map((shape, i) => {
    const tensor = (seed: number): tf.Tensor => tf.tensor(randomValues(tf.util.sizeFromShape(shape), i, seed), shape);
    // Variables that share their values with no tensor left over.
    const variable = (initial: () => tf.Tensor): tf.Variable => tf.tidy(() => tf.variable(initial()));
    return {
      param: variable(() => tensor(1)),
      gradient: tensor(2),
      m: variable(() => tensor(3)),
      v: variable(() => tf.square(tensor(4))),
      weightDecay: i % 2 === 0 ? 0.1 : 0,
    };
  });
}

const shapes = [[3, 5], [7], [], [2, 2, 2], [0, 4]];

describeEachEngine('adamWUpdate', () => {
  it('gives every parameter what adamWStep gives it alone, step after step', () => {
    const parameters = parametersOf(shapes);
    const alone = parametersOf(shapes).map(({ weightDecay, ...tensors }) => ({ tensors, weightDecay }));
    for (let step = 1; step <= 3; step++) {
      adamWUpdate(parameters, { ...settings, step });
      for (const { tensors, weightDecay } of alone) {
        const { param, gradient, m, v } = tensors;
        const next = adamWStep(param, gradient, m, v, { ...settings, weightDecay, step });
        for (const name of ['param', 'm', 'v'] as const) tensors[name].assign(next[name]);
      }
    }
    for (const [i, parameter] of parameters.entries()) {
      for (const name of ['param', 'm', 'v', 'gradient'] as const) {
        const [actual, expected] = [parameter[name].dataSync(), alone[i].tensors[name].dataSync()];
        expect(actual).toHaveLength(expected.length);
        // 3e-7 measured: the native kernel fuses products and sums.
        if (expected.length > 0) expect(relativeError(actual, expected)).toBeLessThan(1e-6);
      }
    }
  });

  it('leaves what shares memory with a variable as it was', () => {
    const [{ param, gradient, m, v, weightDecay }] = parametersOf([[2, 3]]);
    const [clone, reshaped] = [param.clone(), tf.reshape(m, [6])];
    const before = [clone, reshaped, param, m].map((tensor) => [...tensor.dataSync()]);
    adamWUpdate([{ param, gradient, m, v, weightDecay }], { ...settings, step: 2 });
    expect([...clone.dataSync()]).toEqual(before[0]);
    expect([...reshaped.dataSync()]).toEqual(before[1]);
    expect([...param.dataSync()]).not.toEqual(before[2]);
    expect([...m.dataSync()]).not.toEqual(before[3]);
  });

  it('holds no more memory after it than before', () => {
    const parameters = parametersOf(shapes);
    const held = (): number[] => [tf.memory().numTensors, tf.memory().numBytes, tf.memory().numDataBuffers];
    const before = held();
    for (let step = 1; step <= 3; step++) adamWUpdate(parameters, { ...settings, step });
    expect(held()).toEqual(before);
  });

  it('of nothing does nothing', () => {
    expect(() => adamWUpdate([], { ...settings, step: 1 })).not.toThrow();
  });
});
