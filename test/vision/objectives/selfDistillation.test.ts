import { describe, expect, it } from 'vitest';
import { tf } from '#src/engine';
import { ObjectiveConfig, VisionConfig } from '#vision';
import { sinkhorn } from '../../../vision/objectives/sinkhorn.js';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { relativeError } from '../../support/closeness.js';
import { gradientError } from '../../support/lossGradient.js';
import { userErrorLine } from '../../support/thrown.js';
import { objectiveOn, squares, tinyVisionConfig } from '../../support/tinyVisionModel.js';

const given = { kind: 'selfDistillation', localCrops: 2, prototypes: 6, headHidden: 16, headOutput: 8 };

describeEachEngine('self-distillation', (engine) => {
  it.each([
    'vision/patchEmbedding/kernel',
    'vision/positionEmbedding',
    'vision/classToken',
    'block0/attention/query/vision/keyParamTokens',
    'block1/ffn/vision/valueParamTokens',
    'visionPrototypes/hidden/kernel',
    'visionPrototypes/projection/kernel',
    'visionPrototypes/vectors',
  ])('has the gradient of its loss: %s', (name) => {
    const { objective, tree, inputOf } = objectiveOn(tinyVisionConfig({ pooling: 'classToken' }), given);
    const batch = squares(4);
    const loss = (): tf.Scalar => objective.loss(inputOf(batch));
    expect(gradientError(tree, loss, name, 0.002)).toBeLessThan(0.02);
  });

  it('is the cross-entropy of every crop with the large crops that are others', () => {
    const { objective, tree, teacher, inputOf } = objectiveOn(tinyVisionConfig(), {
      ...given,
      ...{ localCrops: 0, globalShare: 1, studentTemperature: 0.2 },
    });
    // Crops of everything differ in their aspect alone; on images of one colour they are all the same.
    const batch = squares(3);
    for (let b = 0; b < 3; b++) batch.pixelValues.fill(b - 1, b * 192, (b + 1) * 192);
    const same = { ...inputOf(batch), teacher };
    const cosines = cosinesOf(same);
    const wanted = sinkhorn(tf.concat([cosines, cosines], 0), 0.05).arraySync();
    const said = tf.logSoftmax(tf.div(cosines, 0.2)).arraySync() as number[][];
    const expected = said.reduce(
      (sum, row, b) => sum - row.reduce((total, logarithm, k) => total + logarithm * wanted[b][k], 0),
      0,
    );
    expect(relativeError([objective.loss(same).dataSync()[0]], [expected])).toBeLessThan(1e-4);

    /** What the model says of the images themselves. */
    function cosinesOf({ states }: typeof same): tf.Tensor2D {
      const x = tf.mean(states().normed, 1) as tf.Tensor2D;
      const linear = (path: string, from: tf.Tensor2D): tf.Tensor2D =>
        tf.add(
          tf.matMul(from, tree.variable(`visionPrototypes/${path}/kernel`) as tf.Tensor as tf.Tensor2D),
          tree.variable(`visionPrototypes/${path}/bias`),
        );
      const h = linear('hidden', x);
      const gelu = tf.tidy(() => {
        const inner = tf.mul(tf.add(h, tf.mul(tf.pow(h, 3), 0.044715)), Math.sqrt(2 / Math.PI));
        return tf.mul(tf.mul(h, 0.5), tf.add(tf.tanh(inner), 1)) as tf.Tensor2D;
      });
      const unit = (rows: tf.Tensor): tf.Tensor2D => tf.div(rows, tf.norm(rows, 'euclidean', 1, true));
      return tf.matMul(
        unit(linear('projection', gelu)),
        unit(tree.variable('visionPrototypes/vectors') as tf.Tensor),
        false,
        true,
      );
    }
  });

  it('takes no gradient of the teacher, and keeps nothing', () => {
    const { objective, tree, teacher, inputOf } = objectiveOn(tinyVisionConfig(), given);
    const input = inputOf(squares(2));
    const before = tf.memory().numTensors;
    const ofTeacher = ['vision/positionEmbedding', 'visionPrototypes/vectors'].map((name) => teacher!.variable(name));
    const { value, grads } = tf.variableGrads(
      () => objective.loss(input),
      [...tree.names().map((name) => tree.variable(name)), ...ofTeacher],
    );
    expect(ofTeacher.map(({ name }) => grads[name])).toEqual([null, null]);
    expect(tree.names().filter((name) => grads[tree.variable(name).name] === null)).toEqual([]);
    tf.dispose([value, grads]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says how much prototypes tell of images: nothing where one or all of them are taken', () => {
    const { objective, teacher, inputOf } = objectiveOn(tinyVisionConfig(), given);
    const information = (): number =>
      objective.measure(inputOf(squares(16))).prototypeInformation.sum.dataSync()[0] / 16;
    const vectors = teacher!.variable('visionPrototypes/vectors');
    const bias = teacher!.variable('visionPrototypes/projection/bias');
    const kernel = teacher!.variable('visionPrototypes/projection/kernel');
    const [firstKernel, firstVectors] = [tf.clone(kernel), tf.clone(vectors)];
    kernel.assign(tf.zerosLike(kernel));
    bias.assign(tf.slice(vectors, [2, 0], [1, -1]).flatten());
    expect(Math.abs(information())).toBeLessThan(1e-4);
    vectors.assign(tf.ones(vectors.shape));
    expect(Math.abs(information())).toBeLessThan(1e-4);
    kernel.assign(tf.mul(firstKernel, 100));
    vectors.assign(firstVectors);
    bias.assign(tf.zerosLike(bias));
    expect(information()).toBeGreaterThan(1e-3);
  });

  it('runs blocks as one operation each where the engine can', async () => {
    if (engine !== 'native') return;
    const { objective, tree, inputOf } = objectiveOn(tinyVisionConfig(), given);
    const input = inputOf(squares(2));
    const variables = tree.names().map((name) => tree.variable(name));
    const { kernelNames, kernels } = await tf.profile(() => {
      const { value, grads } = tf.variableGrads(() => objective.loss(input), variables);
      tf.dispose(grads);
      return value;
    });
    expect(kernelNames.filter((name) => /^(TokenAttention|Pattention)/.test(name))).toEqual([]);
    // Two of the teacher, and two of the student for crops of either size.
    const count = (name: string): number => kernels.filter((kernel) => kernel.name === name).length;
    expect([count('TokenFormerBlock'), count('TokenFormerBlockGrad')]).toEqual([6, 4]);
  });
});

describe('self-distillation', () => {
  it('refuses an image of one patch', () => {
    const { stack } = tinyVisionConfig();
    const single = VisionConfig.parse({ imageSize: 8, patchSize: 8, stack });
    expect(userErrorLine(() => objectiveOn(single, given))).toContain('expected at least 2 patches to a side');
  });

  it.each([
    [{ localShare: 0.5 }, 'expected at most globalShare 0.4, got 0.5'],
    [{ prototypes: 1 }, 'prototypes'],
    [{ teacherTemperature: 0 }, 'teacherTemperature'],
    [{ momentum: 1.5 }, 'momentum'],
  ])('refuses %j', (wrong, text) => {
    const parsed = ObjectiveConfig.safeParse({ ...given, ...wrong });
    expect(JSON.stringify(parsed.error?.issues)).toContain(text);
  });
});
