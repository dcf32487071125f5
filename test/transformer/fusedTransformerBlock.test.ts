import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { type AttentionMask, ParameterTree } from '#src/tokenformer';
import {
  createTransformer,
  runTransformer,
  TransformerConfig,
  type TransformerLayers,
  transformerBlocks,
  WEIGHT_NAMES,
  weightPath,
} from '#src/transformer';
import { addon, describeCompiled, describeNative } from '../support/kernelComparison.js';
import { randomValues } from '../support/randomValues.js';

interface Case {
  readonly batch: number;
  readonly seqLen: number;
  readonly headDim: number;
  readonly numHeads: number;
  readonly mlpHidden: number;
  readonly mask: AttentionMask;
  readonly gelu: 'erf' | 'tanh';
  readonly rotaryShare: number;
  /** Whether each weight is trained; the MLP's two are alike. */
  readonly trained: readonly boolean[];
  /** Rows at the end of each sequence whose output nothing depends on, and whether the pass is told of them. */
  readonly padding: readonly number[];
  readonly told: boolean;
}

const anyCase: fc.Arbitrary<Case> = fc.record({
  batch: fc.integer({ min: 1, max: 4 }),
  seqLen: fc.integer({ min: 1, max: 20 }),
  headDim: fc.constantFrom(6, 8, 13, 24),
  numHeads: fc.integer({ min: 1, max: 4 }),
  mlpHidden: fc.constantFrom(5, 40, 300),
  mask: fc.constantFrom({ kind: 'causal' }, { kind: 'full' }, { kind: 'prefix', prefixLen: 2 }),
  gelu: fc.constantFrom('erf', 'tanh'),
  rotaryShare: fc.constantFrom(0, 0.25, 1),
  trained: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  padding: fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 4, maxLength: 4 }),
  told: fc.boolean(),
});

const GROUP = 'language';

const lengthsOf = ({ batch, seqLen, padding }: Case): Int32Array =>
  Int32Array.from({ length: batch }, (_, b) => Math.max(0, seqLen - padding[b]));

/** Two blocks, everything drawn from fixed streams. */
function build(of: Case) {
  const { headDim, numHeads, mlpHidden, gelu, rotaryShare } = of;
  const dModel = headDim * numHeads;
  const size = { kind: 'transformer', dModel, numLayers: 2, numHeads, mlpHidden };
  const config = TransformerConfig.parse({ ...size, gelu, rotaryShare });
  const tensors = createTransformer(GROUP, config, 1);
  // Larger than at the start of training, so that attention is not flat.
  for (const [name, { shape, values }] of tensors) {
    if (name.startsWith('block')) tensors.set(name, { shape, values: values.map((value) => 8 * value) });
  }
  const tree = new ParameterTree(tensors);
  const isTrained = (name: string): boolean =>
    WEIGHT_NAMES.some(
      (weight, i) => of.trained[Math.min(i, 4)] && [0, 1].some((l) => weightPath(l, weight, GROUP) === name),
    );
  tree.setTrainable(isTrained);
  const shape: [number, number, number] = [of.batch, of.seqLen, dModel];
  const x = tf.variable(tf.tensor3d(randomValues(of.batch * of.seqLen * dModel, 'x'), shape));
  const variables = [x, ...tree.trainableNames().map((name) => tree.variable(name))];
  const release = (): void => {
    tree.dispose();
    x.dispose();
  };
  return { x, config, blocks: transformerBlocks(tree, config, GROUP), variables, release };
}

/** The states, where they count, and the gradients of a weighted sum of them. */
function pass(of: Case, { x, blocks, config, variables }: ReturnType<typeof build>, whole: boolean) {
  const [batch, seqLen, dModel] = x.shape as [number, number, number];
  const lengths = lengthsOf(of);
  const counted = (i: number): number => {
    const row = Math.floor(i / dModel);
    return row % seqLen < lengths[Math.floor(row / seqLen)] ? 1 : 0;
  };
  const weights = tf.tensor3d(
    randomValues(x.size, 'weights').map((value, i) => value * counted(i)),
    [batch, seqLen, dModel],
  );
  // A listener, even one that wants nothing, sends the pass through the operations one by one.
  const options = {
    mask: of.mask,
    ...(of.told && of.mask.kind === 'causal' ? { lengths } : {}),
    ...(whole ? {} : { capture: () => undefined }),
  };
  let hidden = new Float32Array();
  const { value, grads } = tf.variableGrads(() => {
    const result = runTransformer(x as tf.Tensor as tf.Tensor3D, blocks as TransformerLayers[], config, options).hidden;
    hidden = Float32Array.from(result.dataSync(), (state, i) => (counted(i) === 1 ? state : 0));
    return tf.sum(tf.mul(result, weights)) as tf.Scalar;
  }, variables);
  const gradients = variables.map(({ name }) => grads[name].dataSync() as Float32Array);
  tf.dispose([value, weights, ...Object.values(grads)]);
  return [hidden, ...gradients];
}

const highest = (numbers: ArrayLike<number>): number =>
  Array.from(numbers).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

const KERNELS = ['TransformerBlock', 'TransformerBlockGrad'];

describeCompiled('a Transformer block in one call forward and one backward', KERNELS, () => {
  it('has the states and the gradients of its operations one by one', () => {
    let worst = 0;
    fc.assert(
      fc.property(anyCase, (of) => {
        const model = build(of);
        const expected = pass(of, model, false);
        const actual = pass(of, model, true);
        model.release();
        const largest = Math.max(...expected.map(highest));
        for (const [i, numbers] of expected.entries()) {
          const difference = highest(numbers.map((value, k) => value - actual[i][k]));
          worst = Math.max(worst, difference / (highest(numbers) + 0.01 * largest + 1e-30));
          // Measured 4e-6 at most in 180 cases.
          expect(difference, String(i)).toBeLessThanOrEqual(1e-4 * (highest(numbers) + 0.01 * largest));
        }
      }),
      { numRuns: 60 },
    );
    if (process.env.TOKENFUSE_TEST_MEASURE === '1') process.stderr.write(`worst ${worst.toExponential(1)}\n`);
  });
});

const one: Case = {
  batch: 3,
  seqLen: 9,
  headDim: 8,
  numHeads: 4,
  mlpHidden: 60,
  mask: { kind: 'causal' },
  gelu: 'erf',
  rotaryShare: 0.5,
  trained: [false, true, true, true, true],
  padding: [2, 0, 5, 0],
  told: true,
};

describeNative('a Transformer block in one call', () => {
  it('is the same bits at any number of threads', () => {
    const model = build(one);
    const results = [1, 2, 3, 5].map((threads) => {
      addon!.setThreads(threads);
      return pass(one, model, true);
    });
    addon!.setThreads(2);
    model.release();
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('writes nothing for padding, runs as one kernel each way, and leaves no memory behind', async () => {
    const model = build(one);
    pass(one, model, true);
    const used = (): number => (tf.memory() as unknown as { pool: { used: number } }).pool.used;
    const before = [tf.memory().numTensors, used()];
    pass(one, model, true);
    expect([tf.memory().numTensors, used()]).toEqual(before);
    let rows: number[][][] = [];
    const { kernelNames } = await tf.profile(() =>
      tf.tidy(() => {
        const options = { mask: one.mask, lengths: lengthsOf(one) };
        const x = model.x as tf.Tensor as tf.Tensor3D;
        rows = runTransformer(x, model.blocks, model.config, options).hidden.arraySync();
      }),
    );
    model.release();
    expect(kernelNames).toEqual(['TransformerBlock']);
    for (const [b, length] of lengthsOf(one).entries()) {
      expect(highest(rows[b].slice(length).flat())).toBe(0);
      expect(rows[b].slice(0, length).flat()).not.toContain(0);
    }
  });
});
