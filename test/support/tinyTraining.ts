import { languageHidden, summedTokenLoss, totalWeight } from '#language';
import { tf } from '#src/engine';
import { IGNORE_INDEX } from '#src/kernels';
import { createRandom } from '#src/random';
import { ParameterTree } from '#src/tokenformer';
import { runTraining, TrainingConfig, type TrainingResult, type TrainingRun, type TrainingTask } from '#src/training';
import { recordedOutput } from './streams.js';
import { tinyLanguageConfig } from './tinyLanguageModel.js';

/** Runs `task` in `runDir`, with everything else as the tests need it. */
export function train(
  task: TrainingTask,
  runDir: string,
  config: Partial<TrainingConfig>,
  given: Partial<Pick<TrainingRun, 'resume' | 'output' | 'assets' | 'signal'>> = {},
): Promise<TrainingResult> {
  return runTraining({
    task,
    config: TrainingConfig.parse({ steps: 10, batchSize: 4, learningRate: 0.05, logEvery: 1, ...config }),
    seed: 1,
    runDir,
    label: 'test',
    model: { kind: 'language', config: { any: 'thing' } },
    assets: new Map(),
    resume: false,
    output: recordedOutput(),
    ...given,
  });
}

/** Linear regression, y = x w + b in three dimensions: small enough to follow by hand. */
export function regression(batchSizeAt: (index: number) => number = () => 4): TrainingTask & { tree: ParameterTree } {
  const tree = new ParameterTree(
    new Map([
      ['w', { shape: [3, 1], values: Float32Array.of(0.5, -0.5, 0.25) }],
      ['b', { shape: [1], values: Float32Array.of(0) }],
    ]),
  );
  const squaredError = (rows: readonly Row[]): tf.Scalar => {
    const x = tf.tensor2d(rows.map(({ x }) => x));
    const y = tf.tensor2d(rows.map(({ y }) => [y]));
    const predicted = tf.add(tf.matMul(x, tree.variable('w') as tf.Tensor as tf.Tensor2D), tree.variable('b'));
    return tf.sum(tf.squaredDifference(predicted, y));
  };
  const rowsOf = (index: number): Row[] => {
    let first = 0;
    for (let i = 0; i < index; i++) first += batchSizeAt(i);
    return Array.from({ length: batchSizeAt(index) }, (_, i) => rowAt(first + i));
  };
  return {
    tree,
    parameters: tree,
    unit: 'tokens',
    loss: (index) => ({ sum: squaredError(rowsOf(index)), weight: batchSizeAt(index) }),
    unitsIn: batchSizeAt,
    describeBatch: (index) => `rows of batch ${index}`,
    evaluate: async () => {
      const rows = Array.from({ length: 16 }, (_, i) => rowAt(10_000 + i));
      return { 'validation/loss': tf.tidy(() => squaredError(rows).dataSync()[0]) / rows.length };
    },
    selectBy: { metric: 'validation/loss', better: 'lower' },
  };
}

interface Row {
  readonly x: number[];
  readonly y: number;
}

/** The same row for the same index, whatever the batches: y = 2 x₀ − x₁ + 0.5 and a little noise. */
export function rowAt(index: number): Row {
  const random = createRandom(1, 'row', index);
  const x = [random.normal(), random.normal(), random.normal()];
  return { x, y: 2 * x[0] - x[1] + 0.5 + 0.1 * random.normal() };
}

/** Next-token prediction on arithmetic sequences, whose second step tells the third. */
export function tinyLanguageTask(tree: ParameterTree, batchSize = 4): TrainingTask {
  const { vocabSize, seqLen } = tinyLanguageConfig;
  const lossOf = (scope: string, index: number): { sum: tf.Scalar; weight: number } => {
    const random = createRandom(1, scope, index);
    const ids: number[] = [];
    const labels: number[] = [];
    for (let row = 0; row < batchSize; row++) {
      const [start, stride] = [random.integer(vocabSize), random.integer(3)];
      const at = (t: number): number => (start + t * stride) % vocabSize;
      for (let t = 0; t < seqLen; t++) {
        ids.push(at(t));
        labels.push(t === 0 ? IGNORE_INDEX : at(t + 1));
      }
    }
    const { hidden } = languageHidden(tree, tinyLanguageConfig, tf.tensor2d(ids, [batchSize, seqLen], 'int32'));
    const targets = Int32Array.from(labels);
    return { sum: summedTokenLoss(tree, hidden, targets), weight: totalWeight(targets) };
  };
  return {
    parameters: tree,
    unit: 'tokens',
    loss: (index) => lossOf('train', index),
    unitsIn: () => batchSize * seqLen,
    describeBatch: (index) => `batch ${index}`,
    evaluate: async () =>
      tf.tidy(() => {
        const { sum, weight } = lossOf('validation', 0);
        return { 'validation/loss': sum.dataSync()[0] / weight };
      }),
    selectBy: { metric: 'validation/loss', better: 'lower' },
  };
}
