import { describe, expect, it } from 'vitest';
import { tf } from '#src/engine';
import { ObjectiveConfig, type ObjectiveInput, visionForward } from '#vision';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { relativeError } from '../../support/closeness.js';
import { gradientError } from '../../support/lossGradient.js';
import { userErrorLine } from '../../support/thrown.js';
import { objectiveOn, squares, tinyVisionConfig } from '../../support/tinyVisionModel.js';

const given = { kind: 'jointEmbedding', predictorModel: 16, predictorHeads: 2 };

describeEachEngine('joint embedding', (engine) => {
  it.each([
    'vision/patchEmbedding/kernel',
    'vision/positionEmbedding',
    'block0/attention/query/vision/keyParamTokens',
    'block1/ffn/vision/valueParamTokens',
    'block0/attention/value/visionPredictor/valueParamTokens',
    'visionPredictor/embedding/kernel',
    'visionPredictor/states/kernel',
    'visionPredictor/maskToken',
  ])('has the gradient of its loss: %s', (name) => {
    const { objective, tree, inputOf } = objectiveOn(tinyVisionConfig({ pooling: 'classToken' }), given);
    const batch = squares(3);
    const loss = (): tf.Scalar => objective.loss(inputOf(batch));
    expect(gradientError(tree, loss, name, 0.001)).toBeLessThan(0.02);
  });

  it('is smooth L1 of what the predictor says to the normalised states of the teacher', () => {
    const config = tinyVisionConfig();
    const { objective, tree, teacher, inputOf } = objectiveOn(config, given);
    // A predictor that says `bias` whatever it sees.
    const bias = Array.from({ length: 12 }, (_, i) => i / 4 - 1);
    const kernel = tree.variable('visionPredictor/states/kernel');
    kernel.assign(tf.zerosLike(kernel));
    tree.variable('visionPredictor/states/bias').assign(tf.tensor1d(bias));
    // A teacher to which all patches are the same.
    for (const name of ['vision/positionEmbedding', 'vision/patchEmbedding/kernel']) {
      const variable = teacher!.variable(name);
      variable.assign(tf.zerosLike(variable));
    }
    teacher!.variable('vision/patchEmbedding/bias').assign(tf.tensor1d([1, -1, 2, 0, 0, 1, 3, -2, 0, 1, 1, -1]));
    const batch = squares(2);
    const input: ObjectiveInput = inputOf(batch);
    const state = [...visionForward(teacher!, config, input.pixelValues).normed.dataSync().slice(0, 12)];
    const mean = state.reduce((sum, value) => sum + value, 0) / 12;
    const deviation = Math.sqrt(state.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 12 + 1e-5);
    const distances = bias.map((value, i) => Math.abs(value - (state[i] - mean) / deviation));
    const expected = distances.reduce((sum, u) => sum + (u < 1 ? u ** 2 / 2 : u - 0.5), 0) / 12;
    expect(distances.some((u) => u < 1) && distances.some((u) => u > 1)).toBe(true);
    expect(relativeError([objective.loss(input).dataSync()[0] / 2], [expected])).toBeLessThan(1e-4);
    const { jointError, targetDeviation } = objective.measure(input);
    expect(jointError.sum.dataSync()[0] / 2).toBeCloseTo(expected, 4);
    expect(targetDeviation.sum.dataSync()[0]).toBeLessThan(1e-3);
  });

  it('takes no gradient of the teacher, and keeps nothing', () => {
    const { objective, tree, teacher, inputOf } = objectiveOn(tinyVisionConfig(), given);
    const batch = squares(2);
    const input = inputOf(batch);
    const before = tf.memory().numTensors;
    const variables = [
      ...tree.names().map((name) => tree.variable(name)),
      teacher!.variable('vision/positionEmbedding'),
    ];
    const { value, grads } = tf.variableGrads(() => objective.loss(input), variables);
    expect(grads[variables.at(-1)!.name]).toBeNull();
    expect(grads[tree.variable('vision/positionEmbedding').name]).not.toBeNull();
    tf.dispose([value, grads]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('runs the blocks of student, predictor and teacher as one operation each where the engine can', async () => {
    if (engine !== 'native') return;
    const { objective, tree, inputOf } = objectiveOn(tinyVisionConfig(), given);
    const input = inputOf(squares(2));
    const variables = tree.names().map((name) => tree.variable(name));
    const { kernelNames, kernels } = await tf.profile(() => {
      const { value, grads } = tf.variableGrads(() => objective.loss(input), variables);
      tf.dispose(grads);
      return value;
    });
    expect(kernelNames).toContain('TokenFormerBlock');
    expect(kernelNames.filter((name) => /^(TokenAttention|Pattention)/.test(name))).toEqual([]);
    // Two of the teacher, two of the student and one of the predictor; the teacher's are not differentiated.
    const count = (name: string): number => kernels.filter((kernel) => kernel.name === name).length;
    expect([count('TokenFormerBlock'), count('TokenFormerBlockGrad')]).toEqual([5, 3]);
  });

  it('does not let the student see what it has to predict', () => {
    const config = tinyVisionConfig();
    const { objective, tree, inputOf } = objectiveOn(config, { ...given, targetBlocks: 1, targetShare: 0.5 });
    const positions = tree.variable('vision/positionEmbedding');
    const { grads } = tf.variableGrads(() => objective.loss(inputOf(squares(1))), [positions]);
    const sizes = [...tf.sum(tf.abs(grads[positions.name]), 1).dataSync()];
    // 16 patches without a block of 3 by 2.
    expect(sizes.filter((size) => size > 0)).toHaveLength(10);
  });
});

describe('joint embedding', () => {
  it('refuses blocks that leave nothing to see', () => {
    const line = userErrorLine(() => objectiveOn(tinyVisionConfig(), { ...given, targetShare: 0.3 }));
    expect(line).toMatch(
      /^objectives: jointEmbedding: expected blocks that leave patches to see, got targetBlocks 4 of 6/,
    );
  });

  it.each([
    [{ predictorModel: 10, predictorHeads: 4 }, 'predictorHeads'],
    [{ momentum: 1 }, 'momentum'],
    [{ targetBlocks: 0 }, 'targetBlocks'],
    [{ maskShare: 0.5 }, 'maskShare'],
  ])('refuses %j', (wrong, key) => {
    const parsed = ObjectiveConfig.safeParse({ kind: 'jointEmbedding', ...wrong });
    expect(JSON.stringify(parsed.error?.issues)).toContain(key);
  });
});
