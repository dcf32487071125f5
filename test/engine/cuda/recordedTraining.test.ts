import { afterEach, beforeEach, expect, it, type MockInstance, vi } from 'vitest';
import { createLanguageParameters, languageTask, textBatch } from '#language';
import { type ComputationRecorder, engineAtWork, tf } from '#src/engine';
import { createRandom } from '#src/random';
import { ParameterTree } from '#src/tokenformer';
import { AdamW, nestedTask, RecordedGradients, TrainingConfig, type TrainingTask, trainStep } from '#src/training';
import { createObjective, createVisionParameters, ObjectiveConfig, visionTask } from '#vision';
import { type Cuda, openCuda } from '../../../src/engine/cuda/runtime.js';
import { tinyLanguageConfig } from '../../support/tinyLanguageModel.js';
import { squares, tinyLabels, tinyVisionConfig } from '../../support/tinyVisionModel.js';
import { describeCuda } from './card.js';

const STEPS = 8;

/** Rows of two lengths, padded to one, of which the shorter ones differ from batch to batch. */
function batchAt(index: number) {
  const { vocabSize, seqLen } = tinyLanguageConfig;
  const random = createRandom(1, 'recorded', index);
  const rows = Array.from({ length: 4 }, (_, row) =>
    Int32Array.from({ length: 1 + (row < 2 ? seqLen : 1 + random.integer(seqLen)) }, () => random.integer(vocabSize)),
  );
  return textBatch(rows, seqLen, 0);
}

function theRecorder(): ComputationRecorder {
  const recorder = engineAtWork()?.recorder?.();
  if (recorder === undefined) throw new Error('expected the engine to record');
  return recorder;
}

/** Tensors and bytes on the card. */
function inUse(): number[] {
  return [tf.memory().numTensors, (openCuda() as Cuda).addon.memory().used];
}

function languageModel(training: TrainingConfig): TrainingTask {
  return nestedLanguageModel(training, undefined);
}

function nestedLanguageModel(training: TrainingConfig, nested: TrainingConfig['nested']): TrainingTask {
  const tree = new ParameterTree(createLanguageParameters(tinyLanguageConfig, 1));
  const dataset = { batchAt, validationBatches: () => [] };
  return nestedTask(tinyLanguageConfig.stack, nested, 1, (part) => {
    const stack = part as typeof tinyLanguageConfig.stack;
    return languageTask(tree, { ...tinyLanguageConfig, stack }, dataset, {
      training,
      data: { maxValidationBatches: 1 },
    });
  });
}

function visionModel(training: TrainingConfig, ...objectives: readonly unknown[]): TrainingTask {
  const model = tinyVisionConfig();
  const parsed = objectives.map((each) => createObjective(ObjectiveConfig.parse(each), model, tinyLabels, 4));
  const heads = parsed.flatMap((objective) => [...objective.createParameters(4)]);
  const tree = new ParameterTree(new Map([...createVisionParameters(model, 4), ...heads]));
  const images = { batchAt: (index: number) => squares(4, index), paths: [] };
  const experiment = { model, training, seed: 1, data: { maxValidationImages: 1 } };
  return visionTask(tree, experiment, parsed, images, { *validationBatches() {} });
}

describeCuda('training steps as graphs', () => {
  let launches: MockInstance;
  beforeEach(() => {
    launches = vi.spyOn((openCuda() as Cuda).addon, 'launchGraph');
    vi.spyOn(theRecorder(), 'pays').mockReturnValue(true);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** The parameters of a model after some steps; `between` is called after the fifth. */
  async function trained(
    isRecorded: boolean,
    given: Partial<TrainingConfig> = {},
    open: (training: TrainingConfig) => TrainingTask = languageModel,
    between = (_tree: ParameterTree): void => undefined,
  ): Promise<Float32Array[]> {
    const training = TrainingConfig.parse({ steps: STEPS, batchSize: 4, learningRate: 0.01, ...given });
    const task = open(training);
    const optimizer = new AdamW(task.parameters, training);
    const recordings = new RecordedGradients();
    try {
      for (let step = 1; step <= STEPS; step++) {
        await trainStep(task, training, optimizer, { step, ...(isRecorded && { recordings }) });
        if (step === 5) between(task.parameters);
      }
      return [...(await task.parameters.toHost()).values()].map(({ values }) => values as Float32Array);
    } finally {
      recordings.dispose();
      optimizer.dispose();
      task.parameters.dispose();
    }
  }

  it.each<[string, Partial<TrainingConfig>, (training: TrainingConfig) => TrainingTask]>([
    ['of a language model', {}, languageModel],
    ['in bf16', { matmulPrecision: 'bf16' }, languageModel],
    ['with recomputation', { recompute: true }, languageModel],
    ['of a vision model with classes', {}, (training) => visionModel(training, { kind: 'classify' })],
    [
      'of a vision model with attributes',
      {},
      (training) =>
        visionModel(training, { kind: 'attributes', scope: 'image' }, { kind: 'attributes', scope: 'grid', weight: 2 }),
    ],
  ])('give the same bits, %s', { timeout: 120_000 }, async (_, given, open) => {
    const plain = await trained(false, given, open);
    expect(launches).not.toHaveBeenCalled();
    expect(await trained(true, given, open)).toEqual(plain);
    // One more, which is compared with an ordinary step.
    expect(launches).toHaveBeenCalledTimes(STEPS - 3 + 1);
  });

  it('give the same bits when the parameters have moved', { timeout: 120_000 }, async () => {
    const move = (tree: ParameterTree): void => {
      for (const name of tree.names()) {
        const moved = tf.tidy(() => tf.mul(tree.variable(name), 1.5));
        tree.variable(name).assign(moved);
        moved.dispose();
      }
    };
    const plain = await trained(false, {}, languageModel, move);
    expect(await trained(true, {}, languageModel, move)).toEqual(plain);
    // Of steps 4 and 5. After that three others come before the next one.
    expect(launches).toHaveBeenCalledTimes(2 + 1);
  });

  it('are not used where they give something else', { timeout: 120_000 }, async () => {
    const plain = await trained(false);
    const recorder = theRecorder();
    const record = recorder.record.bind(recorder);
    vi.spyOn(recorder, 'record').mockImplementation((arrays, parameters, compute) =>
      record(arrays, parameters, (inputs) => {
        const [summary, ...gradients] = compute(inputs);
        return [tf.mul(summary, 1.000001), ...gradients.map((gradient) => tf.mul(gradient, 2))];
      }),
    );
    expect(await trained(true)).toEqual(plain);
    expect(launches).toHaveBeenCalledTimes(1);
  });

  it('free all that they took', { timeout: 120_000 }, async () => {
    await trained(true);
    const before = inUse();
    await trained(true);
    expect(inUse()).toEqual(before);
  });

  it.each<[string, Partial<TrainingConfig>, (training: TrainingConfig) => TrainingTask]>([
    ['of several micro-batches', { gradientAccumulation: 2 }, languageModel],
    ['with nested dropout', {}, (training) => nestedLanguageModel(training, { least: 0.5, whole: 0 })],
    [
      'with masks that differ',
      {},
      (training) => visionModel(training, { kind: 'maskedPatches', decoderModel: 8, decoderHeads: 2 }),
    ],
  ])('are left out for steps %s', { timeout: 120_000 }, async (_, given, open) => {
    await trained(true, given, open);
    expect(launches).not.toHaveBeenCalled();
  });
});

describeCuda('recorded computations', () => {
  const given = { values: Float32Array.of(1, 2, 3, 4), shape: [2, 2] };

  it('take other numbers in, read parameters as they are, and keep the constants that they make', () => {
    const parameter = tf.variable(tf.tensor2d([10, 20, 30, 40], [2, 2]));
    const recorded = theRecorder().record([given], [parameter], ([x]) => {
      const constant = tf.tensor2d([0.5, 0.25, 0.125, 2], [2, 2]);
      return [tf.add(tf.mul(tf.matMul(x as tf.Tensor2D, constant), 2), parameter)];
    });
    if (recorded === undefined) throw new Error('expected it to be recorded');
    const results = [given.values, Float32Array.of(0, 1, 0, -1)].map((values) =>
      Array.from(recorded.run([{ ...given, values }])?.[0].dataSync() ?? []),
    );
    expect(results).toEqual([
      [11.5, 28.5, 34, 57.5],
      [10.25, 24, 29.75, 36],
    ]);
    parameter.assign(tf.zeros([2, 2]));
    expect(recorded.run([given])).toBeUndefined();
    recorded.dispose();
    parameter.dispose();
  });

  it('are none where the card has no room for them', () => {
    const { addon } = openCuda() as Cuda;
    const before = inUse();
    const begin = addon.beginCapture;
    vi.spyOn(addon, 'beginCapture').mockImplementation((keepsAll) => {
      begin(keepsAll);
      vi.spyOn(addon, 'allocate').mockImplementation(() => {
        throw Object.assign(new Error('full'), { code: 'CUDA_OUT_OF_MEMORY' });
      });
    });
    expect(theRecorder().record([given], [], ([input]) => [tf.square(input)])).toBeUndefined();
    vi.restoreAllMocks();
    expect(inUse()).toEqual(before);
  });

  it('are none where something needs the host, and nothing of them is left', () => {
    const before = inUse();
    const attempts = [
      ([x]: readonly tf.Tensor[]) => [tf.add(x, x.dataSync()[0])],
      // cumsum runs on the CPU.
      ([x]: readonly tf.Tensor[]) => [tf.cumsum(tf.square(x))],
    ];
    for (const compute of attempts) expect(theRecorder().record([given], [], compute)).toBeUndefined();
    expect(() =>
      theRecorder().record([given], [], () => {
        throw new RangeError('of its own');
      }),
    ).toThrow('of its own');
    expect(inUse()).toEqual(before);
  });
});
