import { describe, expect, it } from 'vitest';
import { tf } from '#src/engine';
import { AdamW } from '#src/training';
import {
  type ImageBatch,
  type LabelNames,
  ObjectiveConfig,
  POSITION_EMBEDDING,
  requiredLabels,
  type Tally,
  VisionConfig,
} from '#vision';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { relativeError } from '../../support/closeness.js';
import { userErrorLine } from '../../support/thrown.js';
import { objectiveOn, squares, tinyLabels, tinyVisionConfig } from '../../support/tinyVisionModel.js';

const objectives: [string, unknown][] = [
  ['classify', { kind: 'classify' }],
  ['image attributes', { kind: 'attributes', scope: 'image' }],
  ['grid attributes', { kind: 'attributes', scope: 'grid' }],
  ['masked patches', { kind: 'maskedPatches', decoderModel: 16, decoderHeads: 2 }],
  ['joint embedding', { kind: 'jointEmbedding', predictorModel: 16, predictorHeads: 2 }],
  [
    'self-distillation',
    { kind: 'selfDistillation', localCrops: 2, prototypes: 8, headHidden: 16, headOutput: 8, globalShare: 0.9 },
  ],
];

/** Squares on a ground that brightens from one corner to another, so that every patch has something to predict. */
function structured(batch: number): ImageBatch {
  const images = squares(batch);
  const pixelValues = images.pixelValues.map((value, i) => {
    const [row, col] = [Math.floor(i / 24) % 8, Math.floor(i / 3) % 8];
    return value === 1 ? 1 : (row + 2 * col) / 12 - 1;
  });
  return { ...images, pixelValues };
}

/** Mean loss over an image before and after 25 steps on one batch. */
function overfit(given: unknown, pooling: 'mean' | 'classToken', learningRate: number): [number, number] {
  const { objective, tree, inputOf } = objectiveOn(tinyVisionConfig({ pooling }), given);
  const batch = structured(4);
  const lossOf = (): tf.Scalar => tf.div(objective.loss(inputOf(batch)), batch.batch) as tf.Scalar;
  const value = (): number => tf.tidy(() => lossOf().dataSync()[0]);
  const before = value();
  const optimizer = new AdamW(tree, { beta1: 0.9, beta2: 0.95, adamEpsilon: 1e-8, weightDecay: 0 });
  for (let step = 1; step <= 25; step++) {
    const variables = tree.names().map((name) => tree.variable(name));
    const { value: loss, grads } = tf.variableGrads(lossOf, variables);
    const gradients = new Map(
      tree.names().flatMap((name) => {
        const gradient = grads[tree.variable(name).name];
        return gradient == null ? [] : [[name, gradient] as const];
      }),
    );
    optimizer.apply(gradients, learningRate, 1, step);
    tf.dispose([loss, ...gradients.values()]);
  }
  const after = value();
  optimizer.dispose();
  tree.dispose();
  return [before, after];
}

describeEachEngine('an objective', () => {
  it.each(objectives)('%s learns a batch by heart', (_, given) => {
    const [before, after] = overfit(given, 'mean', 0.01);
    expect(after).toBeLessThan(0.8 * before);
  });

  it('learns through a class token too', () => {
    const [before, after] = overfit({ kind: 'classify' }, 'classToken', 0.005);
    expect(after).toBeLessThan(0.8 * before);
  });

  it.each(objectives)('%s is a sum over images', (_, given) => {
    // Masks, blocks and crops are drawn for a batch.
    if (['maskedPatches', 'jointEmbedding', 'selfDistillation'].includes((given as { kind: string }).kind)) return;
    const { objective, inputOf } = objectiveOn(tinyVisionConfig(), given);
    const batch = squares(4);
    const one = (b: number) => ({
      batch: 1,
      pixelValues: batch.pixelValues.slice(b * 192, (b + 1) * 192),
      labels: batch.labels!.slice(b, b + 1),
      attributes: batch.attributes!.slice(b * 2, b * 2 + 2),
      cells: batch.cells!.slice(b * 16, b * 16 + 16),
      indices: Int32Array.of(b),
    });
    const whole = objective.loss(inputOf(batch)).dataSync()[0];
    const sum = [0, 1, 2, 3].reduce((total, b) => total + objective.loss(inputOf(one(b))).dataSync()[0], 0);
    expect(relativeError([sum], [whole])).toBeLessThan(1e-5);
  });
});

describeEachEngine('before training', () => {
  it('classify is at chance: log of the number of classes', () => {
    const { objective, inputOf } = objectiveOn(tinyVisionConfig(), { kind: 'classify' });
    expect(objective.loss(inputOf(squares(30))).dataSync()[0] / 30).toBeCloseTo(Math.log(3), 1);
  });

  it('attributes of the image are at chance: log 2', () => {
    const { objective, inputOf } = objectiveOn(tinyVisionConfig(), { kind: 'attributes', scope: 'image' });
    expect(objective.loss(inputOf(squares(30))).dataSync()[0] / 30).toBeCloseTo(Math.log(2), 1);
  });

  it('masked patches are at the variance of what is predicted', () => {
    // Patches are normalised; a patch of one colour has no variance left, so it is predicted by zeros.
    const { objective, inputOf } = objectiveOn(tinyVisionConfig(), objectives[3][1]);
    const noise = tf.randomNormal([8, 8, 8, 3], 0, 1, 'float32', 3).dataSync() as Float32Array;
    const loss = objective.loss(inputOf({ ...squares(8), pixelValues: noise })).dataSync()[0] / 8;
    expect(Math.abs(loss - 1)).toBeLessThan(0.1);
  });
});

describeEachEngine('measures', () => {
  const numbers = (tallies: Record<string, Tally>) =>
    Object.fromEntries(
      Object.entries(tallies).map(([name, { sum, count }]) => {
        const total = typeof count === 'number' ? count : count.dataSync()[0];
        return [name, { sum: sum.dataSync()[0], count: total }];
      }),
    );

  /** Makes a linear head say `bias` whatever the image. */
  function rigged(given: unknown, path: string, bias: number[]) {
    const made = objectiveOn(tinyVisionConfig(), given);
    const kernel = made.tree.variable(`${path}/kernel`);
    kernel.assign(tf.zerosLike(kernel));
    made.tree.variable(`${path}/bias`).assign(tf.tensor1d(bias));
    return made;
  }

  it('classify counts what is right', () => {
    const { objective, inputOf } = rigged({ kind: 'classify' }, 'vision/head/classify', [0, 0, 1]);
    const batch = squares(20);
    const blue = batch.labels!.filter((label) => label === 2).length;
    expect(blue).toBeGreaterThan(0);
    expect(numbers(objective.measure(inputOf(batch)))).toEqual({ accuracy: { sum: blue, count: 20 } });
  });

  it('image attributes give F1 as a ratio of sums', () => {
    const { objective, inputOf } = rigged({ kind: 'attributes', scope: 'image' }, 'vision/head/attributes', [1, -1]);
    const batch = squares(20);
    const [bright, red] = [0, 1].map((a) => batch.attributes!.filter((value, i) => i % 2 === a && value === 1).length);
    expect(numbers(objective.measure(inputOf(batch)))).toEqual({
      attributeF1: { sum: 2 * bright, count: 20 + bright + red },
    });
  });

  it('grid attributes count all cells, and those that hold something', () => {
    const path = 'vision/head/gridAttributes';
    const { objective, inputOf } = rigged({ kind: 'attributes', scope: 'grid' }, path, [0, 1, 0, 0]);
    const batch = squares(20);
    const red = batch.cells!.filter((cell) => cell === 1).length;
    expect(numbers(objective.measure(inputOf(batch)))).toEqual({
      'gridAccuracy/colour': { sum: red, count: 320 },
      'gridObjectAccuracy/colour': { sum: red, count: 20 },
    });
  });
});

describeEachEngine('masked patches', () => {
  const given = { kind: 'maskedPatches', decoderModel: 16, decoderHeads: 2 };

  /** Which patch positions of the encoder take part, by whether anything depends on them. */
  function visiblePatches(maskShare: number, streamId: string): number[] {
    const { objective, tree, inputOf } = objectiveOn(tinyVisionConfig(), { ...given, maskShare });
    const positions = tree.variable(POSITION_EMBEDDING);
    const { grads } = tf.variableGrads(() => objective.loss(inputOf(squares(1), streamId)), [positions]);
    const sizes = tf.sum(tf.abs(grads[positions.name]), 1).dataSync();
    return [...sizes].flatMap((size, patch) => (size > 0 ? [patch] : []));
  }

  it.each([
    [0.75, 4],
    [0.5, 8],
    [0.01, 15],
    [0.99, 1],
  ])('with a share of %d masked, the encoder sees %i of 16 patches', (maskShare, visible) => {
    expect(visiblePatches(maskShare, 'a')).toHaveLength(visible);
  });

  it('masks others in another batch, and the same in the same', () => {
    expect(visiblePatches(0.75, 'a')).toEqual(visiblePatches(0.75, 'a'));
    expect(visiblePatches(0.75, 'a')).not.toEqual(visiblePatches(0.75, 'b'));
  });

  it('does not let the encoder see the pixels it has to predict', () => {
    const { objective, inputOf } = objectiveOn(tinyVisionConfig(), given);
    const visible = visiblePatches(0.75, 'a');
    const batch = squares(1);
    const hidden = [...Array(16).keys()].filter((patch) => !visible.includes(patch));
    // A patch is normalised before it is predicted: another brightness and contrast is no other target.
    const brighter = batch.pixelValues.map((value, i) => {
      const [row, col] = [Math.floor(i / 24), Math.floor(i / 3) % 8];
      return hidden.includes(Math.floor(row / 2) * 4 + Math.floor(col / 2)) ? value * 0.5 + 0.3 : value;
    });
    const loss = (pixelValues: Float32Array): number =>
      objective.loss(inputOf({ ...batch, pixelValues }, 'a')).dataSync()[0];
    expect(relativeError([loss(brighter)], [loss(batch.pixelValues)])).toBeLessThan(1e-3);
  });
});

describe('what does not fit', () => {
  const grid = { kind: 'attributes', scope: 'grid' };
  const cells = (rows: number, cols: number): LabelNames => ({ grid: { ...tinyLabels.grid!, rows, cols } });

  it.each([
    ['another number of cells than patches', cells(3, 4), '3×4 cells'],
    ['the right number in another arrangement', cells(2, 8), '2×8 cells'],
    ['no grid', {}, 'none'],
  ])('%s is one clear line', (_, labels, got) => {
    const line = userErrorLine(() => objectiveOn(tinyVisionConfig(), grid, labels));
    expect(line).toMatch(/^objectives: attributes for each grid cell: expected a label grid/);
    expect(line).toContain(`got ${got}`);
  });

  it('an image of a single patch cannot be masked', () => {
    const { stack } = tinyVisionConfig();
    const single = VisionConfig.parse({ imageSize: 8, patchSize: 8, stack });
    expect(userErrorLine(() => objectiveOn(single, { kind: 'maskedPatches' }))).toContain(
      'expected at least 2 patches',
    );
  });

  it('a decoder width that its heads do not divide is found before training', () => {
    const odd = { kind: 'maskedPatches', decoderModel: 10, decoderHeads: 4 };
    expect(ObjectiveConfig.safeParse(odd).success).toBe(false);
  });

  it.each([
    ['classify', { kind: 'classify' }, 'class'],
    ['attributes of the image', { kind: 'attributes', scope: 'image' }, 'attributes'],
    ['attributes of a grid', grid, 'grid'],
    ['masked patches', { kind: 'maskedPatches' }, 'none'],
  ])('%s says which labels it needs', (_, given, expected) => {
    expect(requiredLabels(ObjectiveConfig.parse(given))).toBe(expected);
  });
});
