import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { TrainingConfig, type TrainingTask } from '#src/training';
import { describeEachEngine } from '../engine/eachEngine.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { tinyLanguageTree } from '../support/tinyLanguageModel.js';
import { tinyLanguageTask, train } from '../support/tinyTraining.js';

it('is asked for, not given', () => {
  const settings = { steps: 1, batchSize: 1, learningRate: 1 };
  expect(TrainingConfig.parse(settings)).not.toHaveProperty('recompute');
  expect(TrainingConfig.parse({ ...settings, recompute: true }).recompute).toBe(true);
});

describeEachEngine('training with recompute', () => {
  /** Six steps of a tiny language model, with a crash in the fifth from which the run is resumed where that is asked for. */
  async function run(recompute: boolean, crash = false) {
    const runDir = temporaryFolder();
    const config = { steps: 6, recompute, gradientAccumulation: 2, evaluateEvery: 3, checkpointEvery: 2 };
    const taskOf = (): TrainingTask => tinyLanguageTask(tinyLanguageTree());
    if (crash) {
      const task = taskOf();
      const loss = (index: number): ReturnType<TrainingTask['loss']> => {
        if (index === 9) throw new Error('crash');
        return task.loss(index);
      };
      await expect(train({ ...task, loss }, runDir, config)).rejects.toThrow('crash');
      task.parameters.dispose();
    }
    const task = taskOf();
    await train(task, runDir, config, { resume: crash });
    const parameters = await task.parameters.toHost();
    task.parameters.dispose();
    return { parameters, metrics: readMetrics(runDir) };
  }

  it('ends with the bytes and the metrics of a run that keeps everything, resumed or not', async () => {
    const kept = await run(false);
    const { numTensors } = tf.memory();
    expect(await run(true)).toEqual(kept);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(await run(true, true)).toEqual(kept);
  });
});
