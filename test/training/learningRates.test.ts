import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { ParameterTree } from '#src/tokenformer';
import { AdamW, TrainingConfig } from '#src/training';
import { describeEachEngine } from '../engine/eachEngine.js';
import { randomValues } from '../support/randomValues.js';

const SHAPES = { 'a/keyParamTokens': [4, 3], 'a/scale': [3], 'b/keyParamTokens': [2, 3] };
type Rates = TrainingConfig['learningRates'];

function trainedBy(
  learningRates: Rates,
  {
    oldRows,
    learningRate = 0.1,
    steps = 3,
  }: { oldRows?: Map<string, number>; learningRate?: number; steps?: number } = {},
): { values: Map<string, Float32Array>; grownBy: number } {
  const tensors = Object.entries(SHAPES).map(([name, shape]) => {
    return [
      name,
      {
        shape,
        values: randomValues(
          shape.reduce((a, b) => a * b),
          name,
        ),
      },
    ] as const;
  });
  const tree = new ParameterTree(new Map(tensors));
  const config = TrainingConfig.parse({ steps: 10, batchSize: 1, learningRate: 1, learningRates });
  const optimizer = new AdamW(tree, config);
  if (oldRows) optimizer.useOldRows(oldRows);
  let before = 0;
  for (let step = 1; step <= steps; step++) {
    const gradients = new Map(
      tensors.map(([name, { shape, values }]) => [
        name,
        tf.tensor(randomValues(values.length, name, step), [...shape]),
      ]),
    );
    optimizer.apply(gradients, learningRate, 1, step);
    tf.dispose([...gradients.values()]);
    if (step === 1) before = tf.memory().numTensors;
  }
  const grownBy = tf.memory().numTensors - before;
  const values = new Map(tree.names().map((name) => [name, tree.variable(name).dataSync().slice() as Float32Array]));
  optimizer.dispose();
  tree.dispose();
  return { values, grownBy };
}

describeEachEngine('learning rates', () => {
  it('by name are those of a run with that rate', () => {
    const mixed = trainedBy([
      { names: 'b/', factor: 0.5 },
      { names: 'Tokens', factor: 0.5 },
    ]).values;
    expect(mixed.get('a/scale')).toEqual(trainedBy(undefined).values.get('a/scale'));
    expect(mixed.get('a/keyParamTokens')).toEqual(
      trainedBy(undefined, { learningRate: 0.05 }).values.get('a/keyParamTokens'),
    );
    expect(mixed.get('b/keyParamTokens')).toEqual(
      trainedBy(undefined, { learningRate: 0.025 }).values.get('b/keyParamTokens'),
    );
  });

  it('of old and new tokens hold row by row, and for whole parameters', () => {
    const oldRows = new Map([
      ['a/keyParamTokens', 2],
      ['a/scale', 3],
    ]);
    const { values } = trainedBy([{ tokens: 'old', factor: 0.5 }], { oldRows });
    const [whole, half] = [trainedBy(undefined).values, trainedBy(undefined, { learningRate: 0.05 }).values];
    const rows = values.get('a/keyParamTokens')!;
    const distance = (a: Float32Array, b: Float32Array): number =>
      Math.max(...a.map((value, i) => Math.abs(value - b[i])));
    expect(distance(rows.slice(0, 6), half.get('a/keyParamTokens')!.slice(0, 6))).toBeLessThan(3e-7); // rounding of p + F (p' − p)
    expect(distance(rows.slice(6), whole.get('a/keyParamTokens')!.slice(6))).toBeLessThan(3e-7);
    expect(values.get('a/scale')).toEqual(half.get('a/scale'));
    expect(values.get('b/keyParamTokens')).toEqual(whole.get('b/keyParamTokens'));
  });

  it('of 0 for old tokens keep them to the bit, and no tensor stays behind a step', () => {
    const oldRows = new Map([['a/keyParamTokens', 2]]);
    const { values, grownBy } = trainedBy([{ tokens: 'old', factor: 0 }], { oldRows });
    expect(values.get('a/keyParamTokens')!.slice(0, 6)).toEqual(randomValues(12, 'a/keyParamTokens').slice(0, 6));
    expect(grownBy).toBe(0);
  });

  it('of old and new tokens say nothing before a growth', () => {
    const rates: Rates = [
      { tokens: 'old', factor: 0 },
      { tokens: 'new', factor: 0 },
    ];
    expect(trainedBy(rates).values).toEqual(trainedBy(undefined).values);
  });
});
