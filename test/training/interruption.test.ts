import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Interrupted, interruption } from '#src/cli';
import { isTrained, TrainingConfig, type TrainingTask } from '#src/training';
import { recordedOutput } from '../support/streams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { regression, train } from '../support/tinyTraining.js';

const config = { steps: 20, logEvery: 3, evaluateEvery: 5, checkpointEvery: 8, learningRate: 0.1 };

afterEach(() => interruption.reset());

/** Asks to stop while micro-batch `index` is computed. */
function stoppedAtBatch(index: number, ask = (): void => interruption.note('SIGTERM')): TrainingTask {
  const task = regression();
  return {
    ...task,
    loss: (at) => {
      if (at === index) ask();
      return task.loss(at);
    },
  };
}

/** Asks to stop in evaluation number `count`, counted from 0. */
function stoppedInEvaluation(count: number): TrainingTask {
  const task = regression();
  let evaluations = 0;
  return {
    ...task,
    evaluate: async (check) => {
      if (evaluations++ === count) interruption.note('SIGTERM');
      check();
      return task.evaluate(check);
    },
  };
}

/** All that a run leaves, but for times. */
function filesOf(runDir: string): Record<string, string> {
  const folder = join(runDir, 'checkpoints');
  const inside = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = inside.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(
    [...paths, join(runDir, 'metrics.jsonl')]
      .sort()
      .map((path) => [path.slice(runDir.length), readFileSync(path).toString('hex')]),
  );
}

async function unbroken(given: Partial<TrainingConfig> = {}): Promise<Record<string, string>> {
  const runDir = temporaryFolder();
  await train(regression(), runDir, { ...config, ...given });
  return filesOf(runDir);
}

describe('a signal while training', () => {
  it.each([0, 6, 7, 9, 18])('in the step of batch %i: a checkpoint, and the same bytes in the end', async (batch) => {
    const runDir = temporaryFolder();
    const stopped = train(stoppedAtBatch(batch), runDir, config);
    await expect(stopped).rejects.toThrow(new Interrupted('SIGTERM', ` after step ${batch + 1}`, true));
    interruption.reset();
    await train(regression(), runDir, config, { resume: true });
    expect(filesOf(runDir)).toEqual(await unbroken());
  });

  it.each([1, 2, 4])('in evaluation %i: it is made up for on resuming', async (evaluation) => {
    const runDir = temporaryFolder();
    await expect(train(stoppedInEvaluation(evaluation), runDir, config)).rejects.toThrow(
      `stopped by SIGTERM after step ${5 * evaluation}`,
    );
    expect(isTrained(runDir, TrainingConfig.parse({ batchSize: 4, ...config }))).toBe(false);
    interruption.reset();
    await train(regression(), runDir, config, { resume: true });
    expect(isTrained(runDir, TrainingConfig.parse({ batchSize: 4, ...config }))).toBe(true);
    expect(filesOf(runDir)).toEqual(await unbroken());
  });

  it('again and again: the same bytes, patience included', async () => {
    const given = { ...config, steps: 200, learningRate: 0.5, patience: 2 };
    const runDir = temporaryFolder();
    let stops = 0;
    for (let resume = false; ; resume = true) {
      try {
        await train(stoppedAtBatch(7 * stops), runDir, given, { resume });
        break;
      } catch (error) {
        expect(error).toBeInstanceOf(Interrupted);
        interruption.reset();
        stops++;
      }
    }
    expect(stops).toBeGreaterThan(2);
    expect(filesOf(runDir)).toEqual(await unbroken(given));
  });

  it('in the last step: the run is complete', async () => {
    const runDir = temporaryFolder();
    expect((await train(stoppedAtBatch(19), runDir, config)).steps).toBe(20);
    interruption.reset();
    expect(filesOf(runDir)).toEqual(await unbroken());
  });

  it('before the first step: nothing is kept, and the run starts over', async () => {
    const runDir = temporaryFolder();
    const stopped = train(stoppedInEvaluation(0), runDir, config);
    await expect(stopped).rejects.toThrow('stopped by SIGTERM before the first step');
    interruption.reset();
    await train(regression(), runDir, config, { resume: true });
    expect(filesOf(runDir)).toEqual(await unbroken());
  });

  it('SIGUSR1: a checkpoint, and the run goes on', async () => {
    const [runDir, output] = [temporaryFolder(), recordedOutput()];
    await train(
      stoppedAtBatch(2, () => interruption.note('SIGUSR1')),
      runDir,
      config,
      { output },
    );
    expect(output.lines).toContain('test step 3: checkpoint written for SIGUSR1');
    expect(filesOf(runDir)).toEqual(await unbroken());
  });
});

it('an AbortSignal ends a run in the same way, with its own reason', async () => {
  const [runDir, controller] = [temporaryFolder(), new AbortController()];
  const stopped = train(
    stoppedAtBatch(3, () => controller.abort(new Error('enough'))),
    runDir,
    config,
    { signal: controller.signal },
  );
  await expect(stopped).rejects.toThrow('enough');
  expect(readFileSync(join(runDir, 'checkpoints', 'last.json'), 'utf8')).toContain('step-0000004');
  await train(regression(), runDir, config, { resume: true });
  expect(filesOf(runDir)).toEqual(await unbroken());
});

describe('while training', () => {
  it('each validation is a line, the best so far marked', async () => {
    const output = recordedOutput();
    await train(regression(), temporaryFolder(), config, { output });
    const lines = output.lines.filter((line) => line.includes('validation'));
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^test step 0: validation loss \d\.\d+$/);
    expect(lines[1]).toMatch(/^test step 5: validation loss \d\.\d+ \(best\)$/);
  });

  it('patience that ends it says so', async () => {
    const output = recordedOutput();
    const given = { ...config, steps: 200, learningRate: 0.5, patience: 2 };
    const { steps, bestStep, bestValue } = await train(regression(), temporaryFolder(), given, { output });
    expect(steps).toBeLessThan(200);
    expect(output.lines).toContain(
      `test ends early at step ${steps}: validation/loss is best at step ${bestStep}, ${bestValue.toFixed(4)} (patience 2)`,
    );
  });
});
