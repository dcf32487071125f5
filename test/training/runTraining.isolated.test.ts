import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { findCheckpoint, readCheckpoint, readTrainingState, type TrainingTask } from '#src/training';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { recordedOutput } from '../support/streams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';
import { tinyLanguageTree } from '../support/tinyLanguageModel.js';
import { regression, rowAt, tinyLanguageTask, train } from '../support/tinyTraining.js';

const disk = vi.hoisted(() => ({ bytesLeft: Number.POSITIVE_INFINITY }));

vi.mock('node:fs', async (importOriginal) => {
  const { onLimitedDisk } = await import('../support/limitedDisk.js');
  return onLimitedDisk(await importOriginal<typeof import('node:fs')>(), disk);
});

beforeEach(async () => {
  disk.bytesLeft = Number.POSITIVE_INFINITY;
  await selectEngine('cpu');
});

const weights = async (task: TrainingTask) => task.parameters.toHost();
const bytesOf = (runDir: string, name: string): string => readFileSync(join(runDir, name), 'utf8');
const metric = (runDir: string, name: string): number[] =>
  readMetrics(runDir).flatMap(({ values }) => (name in values ? [values[name]] : []));

describe('a step', () => {
  it('is AdamW on the mean gradient, clipped, under the schedule: as computed by hand', async () => {
    const task = regression();
    const config = { steps: 3, warmupSteps: 1, adamEpsilon: 1, clipNorm: 0.5, weightDecay: 0.1 };
    const runDir = temporaryFolder();
    await train(task, runDir, config);

    // y = x w + b in float64; ε = 1 keeps Adam from dividing the scale of the gradient out.
    const w = [0.5, -0.5, 0.25, 0];
    const m = [0, 0, 0, 0];
    const v = [0, 0, 0, 0];
    const norms: number[] = [];
    for (let step = 1; step <= 3; step++) {
      const g = [0, 0, 0, 0];
      for (let i = 0; i < 4; i++) {
        const { x, y } = rowAt((step - 1) * 4 + i);
        const error = [...x, 1].reduce((sum, value, j) => sum + value * w[j], 0) - y;
        for (const [j, value] of [...x, 1].entries()) g[j] += (2 * error * value) / 4;
      }
      const norm = Math.hypot(...g);
      norms.push(norm);
      const rate = step === 1 ? 0.05 : 0.05 * (0.1 + (0.9 * (1 + Math.cos((Math.PI * (step - 1)) / 2))) / 2);
      for (let j = 0; j < 4; j++) {
        const scaled = g[j] * Math.min(1, 0.5 / (norm + 1e-6));
        m[j] = 0.9 * m[j] + 0.1 * scaled;
        v[j] = 0.95 * v[j] + 0.05 * scaled ** 2;
        const change = m[j] / (1 - 0.9 ** step) / (Math.sqrt(v[j] / (1 - 0.95 ** step)) + 1);
        w[j] = w[j] * (j < 3 ? 1 - rate * 0.1 : 1) - rate * change;
      }
    }
    expect(Math.min(...norms)).toBeGreaterThan(0.5);
    // Measured 7e-8.
    expect(
      relativeError([...task.tree.variable('w').dataSync(), ...task.tree.variable('b').dataSync()], w),
    ).toBeLessThan(1e-6);
    expect(relativeError(metric(runDir, 'train/gradientNorm'), norms)).toBeLessThan(1e-6);
  });

  it('of unequal micro-batches equals the step of one batch of them all', async () => {
    const parts = regression((index) => [1, 4, 3][index % 3]);
    const whole = regression(() => 8);
    const [partsDir, wholeDir] = [temporaryFolder(), temporaryFolder()];
    await train(parts, partsDir, { gradientAccumulation: 3 });
    await train(whole, wholeDir, { gradientAccumulation: 1 });
    for (const name of ['w', 'b']) {
      const [a, b] = [parts, whole].map((task) => task.tree.variable(name).dataSync());
      // Measured 4e-8: the sums are taken in another order.
      expect(relativeError(a, b)).toBeLessThan(2e-6);
    }
    expect(relativeError(metric(partsDir, 'train/loss'), metric(wholeDir, 'train/loss'))).toBeLessThan(2e-6);
  });

  it('leaves what is frozen as it was, and trains the rest', async () => {
    const task = regression();
    task.tree.setTrainable((name) => name === 'b');
    await train(task, temporaryFolder(), {});
    expect([...task.tree.variable('w').dataSync()]).toEqual([0.5, -0.5, 0.25]);
    expect(task.tree.variable('b').dataSync()[0]).not.toBe(0);
  });
});

describe('a run', () => {
  it('learns', async () => {
    const runDir = temporaryFolder();
    const result = await train(regression(), runDir, { steps: 100, evaluateEvery: 50 });
    const losses = metric(runDir, 'validation/loss');
    expect(losses[0]).toBeGreaterThan(3);
    expect(losses.at(-1)).toBeLessThan(0.1);
    expect(result.last['validation/loss']).toBeCloseTo(losses.at(-1)!, 6);
  });

  it('evaluates before the first step, every so often, and at the end', async () => {
    const runDir = temporaryFolder();
    await train(regression(), runDir, { steps: 7, evaluateEvery: 3 });
    const steps = readMetrics(runDir).flatMap(({ step, values }) => ('validation/loss' in values ? [step] : []));
    expect(steps).toEqual([0, 3, 6, 7]);
  });

  it('logs the first step, every so many, and the last', async () => {
    const runDir = temporaryFolder();
    await train(regression(), runDir, { steps: 7, logEvery: 3 });
    const steps = readMetrics(runDir).flatMap(({ step, values }) => ('train/loss' in values ? [step] : []));
    expect(steps).toEqual([1, 3, 6, 7]);
  });

  it('keeps the best and the last checkpoint, and points at each', async () => {
    const task = regression();
    const values = [9, 5, 3, 4, 6];
    let evaluation = 0;
    const runDir = temporaryFolder();
    const scripted = { ...task, evaluate: async () => ({ 'validation/loss': values[evaluation++] }) };
    const result = await train(scripted, runDir, { steps: 4, evaluateEvery: 1 });
    expect(result).toMatchObject({ steps: 4, bestStep: 2, bestValue: 3, last: { 'validation/loss': 6 } });
    expect(readdirSync(join(runDir, 'checkpoints')).sort()).toEqual([
      'best.json',
      'last.json',
      'step-0000002',
      'step-0000004',
    ]);
    expect(readTrainingState(findCheckpoint(runDir, 'best')).state.step).toBe(2);
    expect(readTrainingState(findCheckpoint(runDir, 'last')).state.step).toBe(4);
  });

  it('takes what was there before the first step for the best when told so and nothing is better, resumed or not', async () => {
    const runDir = temporaryFolder();
    const values = [1, 2, 3];
    const task = (): TrainingTask => ({
      ...regression(),
      evaluate: async () => ({ 'validation/loss': values.shift()! }),
      selectBy: { metric: 'validation/loss', better: 'lower', fromStart: true },
    });
    const first = task();
    const drawn = await weights(first);
    expect(await train(first, runDir, { steps: 1, evaluateEvery: 1 })).toMatchObject({ bestStep: 0, bestValue: 1 });
    const { tensors } = readCheckpoint(findCheckpoint(runDir, 'best'));
    for (const [name, { values: kept }] of drawn) expect([...tensors.get(name)!.values], name).toEqual([...kept]);
    const resumed = await train(task(), runDir, { steps: 2, evaluateEvery: 1 }, { resume: true });
    expect(resumed).toMatchObject({ steps: 2, bestStep: 0, bestValue: 1 });
  });

  it('of no steps writes the parameters as they were drawn, and resumes to the same', async () => {
    const runDir = temporaryFolder();
    const task = regression();
    const drawn = await weights(task);
    const result = await train(task, runDir, { steps: 0 });
    expect(result).toMatchObject({ steps: 0, bestStep: 0 });
    const { tensors } = readCheckpoint(findCheckpoint(runDir, 'best'));
    for (const [name, { values }] of drawn) expect([...(tensors.get(name)?.values ?? [])], name).toEqual([...values]);
    expect(await train(regression(), runDir, { steps: 0 }, { resume: true })).toMatchObject({ steps: 0 });
  });

  it('takes the higher value as the better one when told so', async () => {
    const values = [0, 2, 1];
    const task: TrainingTask = {
      ...regression(),
      evaluate: async () => ({ accuracy: values.shift()! }),
      selectBy: { metric: 'accuracy', better: 'higher' },
    };
    expect(await train(task, temporaryFolder(), { steps: 2, evaluateEvery: 1 })).toMatchObject({
      bestStep: 1,
      bestValue: 2,
    });
  });

  it('never calls a value that is no number the best', async () => {
    const values = [1, Number.NaN, 2, Number.NaN];
    const task = { ...regression(), evaluate: async () => ({ 'validation/loss': values.shift()! }) };
    expect(await train(task, temporaryFolder(), { steps: 3, evaluateEvery: 1 })).toMatchObject({
      bestStep: 2,
      bestValue: 2,
    });
  });

  it('stops when its patience is over, and resuming it does not go on', async () => {
    const runDir = temporaryFolder();
    const values = [9, 1, 2, 3, 4, 5];
    const scripted = () => ({ ...regression(), evaluate: async () => ({ 'validation/loss': values.shift() ?? 7 }) });
    const config = { steps: 50, evaluateEvery: 2, patience: 2 };
    expect(await train(scripted(), runDir, config)).toMatchObject({ steps: 6, bestStep: 2 });
    const metrics = bytesOf(runDir, 'metrics.jsonl');
    expect(await train(scripted(), runDir, config, { resume: true })).toMatchObject({ steps: 6, bestStep: 2 });
    expect(bytesOf(runDir, 'metrics.jsonl')).toBe(metrics);
  });

  it('gives the same bytes when it is run again', async () => {
    const [first, second] = [temporaryFolder(), temporaryFolder()];
    for (const runDir of [first, second]) await train(regression(), runDir, {});
    expect(bytesOf(second, 'metrics.jsonl')).toBe(bytesOf(first, 'metrics.jsonl'));
    const model = (runDir: string) => readFileSync(join(findCheckpoint(runDir), 'model.safetensors'));
    expect(model(second).equals(model(first))).toBe(true);
  });

  it('carries the files that belong to the model', async () => {
    const runDir = temporaryFolder();
    await train(regression(), runDir, {}, { assets: new Map([['tokenizer.json', Uint8Array.of(1, 2)]]) });
    expect([...readCheckpoint(findCheckpoint(runDir)).assets.keys()]).toEqual(['tokenizer.json']);
  });

  it('shows its progress, the last step among it', async () => {
    const output = recordedOutput();
    await train(regression(), temporaryFolder(), {}, { output });
    expect(output.lines.at(-1)).toMatch(/^test 10\/10 100% loss [\d.]+ .* tokens\/s/);
  });

  it('refuses a folder that holds another run', async () => {
    const runDir = temporaryFolder();
    await train(regression(), runDir, {});
    expect(await rejectedLine(train(regression(), runDir, {}))).toContain('expected a new run directory');
  });
});

describe('resuming', () => {
  const config = { steps: 12, checkpointEvery: 3, evaluateEvery: 4 };

  /** A run that ends with an error in the loss of batch `index`, as a crash would. */
  function crashingAt(index: number): TrainingTask {
    const task = regression();
    return {
      ...task,
      loss: (i) => {
        if (i === index) throw new Error('crash');
        return task.loss(i);
      },
    };
  }

  it.each([
    ['before the first checkpoint', 1],
    ['between checkpoints', 7],
    ['right after a checkpoint', 9],
    ['in the last step', 11],
  ])('after a crash %s gives the bytes of an unbroken run', async (_, index) => {
    const [unbroken, broken] = [temporaryFolder(), temporaryFolder()];
    const whole = regression();
    await train(whole, unbroken, config);
    await expect(train(crashingAt(index), broken, config)).rejects.toThrow('crash');
    const resumed = regression();
    await train(resumed, broken, config, { resume: true });
    expect(bytesOf(broken, 'metrics.jsonl')).toBe(bytesOf(unbroken, 'metrics.jsonl'));
    expect(await weights(resumed)).toEqual(await weights(whole));
    expect(readTrainingState(findCheckpoint(broken, 'last'))).toEqual(
      readTrainingState(findCheckpoint(unbroken, 'last')),
    );
  });

  it('a finished run changes nothing and tells its last metrics', async () => {
    const runDir = temporaryFolder();
    const first = await train(regression(), runDir, config);
    const metrics = bytesOf(runDir, 'metrics.jsonl');
    expect(await train(regression(), runDir, config, { resume: true })).toEqual(first);
    expect(bytesOf(runDir, 'metrics.jsonl')).toBe(metrics);
  });

  it('where there is nothing to resume starts from the beginning', async () => {
    const [fresh, resumed] = [temporaryFolder(), temporaryFolder()];
    await train(regression(), fresh, config);
    await train(regression(), resumed, config, { resume: true });
    expect(bytesOf(resumed, 'metrics.jsonl')).toBe(bytesOf(fresh, 'metrics.jsonl'));
  });

  it('names what is damaged, and the way on from the best checkpoint', async () => {
    const runDir = temporaryFolder();
    const rising = { ...regression(), evaluate: async () => ({ 'validation/loss': evaluation++ }) };
    let evaluation = 1;
    const settings = { steps: 6, evaluateEvery: 2, checkpointEvery: 2 };
    await train(rising, runDir, settings);
    const checkpoints = join(runDir, 'checkpoints');
    const damaged = join(checkpoints, 'step-0000006', 'optimizer.safetensors');
    const bytes = readFileSync(damaged);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(damaged, bytes);
    const line = await rejectedLine(train(regression(), runDir, settings, { resume: true }));
    expect(line).toContain(`${damaged}: damaged`);
    expect(line).toContain(`to go on from step-0000002 instead, copy ${join(checkpoints, 'best.json')} over`);
    copyFileSync(join(checkpoints, 'best.json'), join(checkpoints, 'last.json'));
    const resumed = await train(regression(), runDir, settings, { resume: true });
    expect(resumed.steps).toBe(6);
  });

  it('of a run that was killed between its first checkpoint and the pointer to the last continues there', async () => {
    const [unbroken, killed] = [temporaryFolder(), temporaryFolder()];
    await train(regression(), unbroken, { ...config, steps: 6, evaluateEvery: 6, checkpointEvery: 6 });
    await train(regression(), killed, { ...config, steps: 6, evaluateEvery: 6, checkpointEvery: 6 });
    rmSync(join(killed, 'checkpoints', 'last.json'));
    await train(regression(), killed, { ...config, steps: 6, evaluateEvery: 6, checkpointEvery: 6 }, { resume: true });
    expect(bytesOf(killed, 'metrics.jsonl')).toBe(bytesOf(unbroken, 'metrics.jsonl'));
  });

  it('names a parameter that the checkpoint lacks', async () => {
    const runDir = temporaryFolder();
    await train(regression(), runDir, config);
    const task = regression();
    task.tree.add(new Map([['extra', { shape: [1], values: Float32Array.of(0) }]]));
    expect(await rejectedLine(train(task, runDir, config, { resume: true }))).toContain(
      "model.safetensors: has no tensor 'extra'",
    );
  });
});

describe('what goes wrong', () => {
  it('a loss that is no number stops the run, names step and batch, and leaves the checkpoint intact', async () => {
    const task = regression();
    const runDir = temporaryFolder();
    const poisoned = {
      ...task,
      loss: (index: number) => {
        const { sum, weight } = task.loss(index);
        return { sum: index === 7 ? (tf.mul(sum, Number.NaN) as tf.Scalar) : sum, weight };
      },
    };
    const line = await rejectedLine(train(poisoned, runDir, { steps: 20, checkpointEvery: 3 }));
    expect(line).toMatch(/^step 8: the loss is NaN .* the checkpoint of step 6 is intact\. Batch: rows of batch 7\./);
    const last = findCheckpoint(runDir, 'last');
    expect(readTrainingState(last).state.step).toBe(6);
    expect([...readCheckpoint(last).tensors.values()].every(({ values }) => values.every(Number.isFinite))).toBe(true);
    expect(metric(runDir, 'train/loss')).toHaveLength(7);
  });

  it('a gradient that overflows stops the run too', async () => {
    const task = regression();
    const steep = {
      ...task,
      loss: (index: number) => ({ ...task.loss(index), sum: tf.mul(task.loss(index).sum, 1e30) as tf.Scalar }),
    };
    expect(await rejectedLine(train(steep, temporaryFolder(), {}))).toMatch(
      /^step 1: .*gradient norm Infinity; stopped, no checkpoint was written yet\./,
    );
  });

  it('a full disk stops the run in one line, keeps the last checkpoint and leaves nothing half written', async () => {
    const task = regression();
    const runDir = temporaryFolder();
    const filling = {
      ...task,
      unitsIn: (index: number) => {
        // The lines of one more step fit, the next checkpoint does not.
        if (index === 5) disk.bytesLeft = 600;
        return 4;
      },
    };
    const config = { steps: 20, checkpointEvery: 3, evaluateEvery: 100 };
    const line = await rejectedLine(train(filling, runDir, config));
    expect(line).toMatch(/^cannot write .*: the disk is full: free some space and run again$/);
    disk.bytesLeft = Number.POSITIVE_INFINITY;
    expect(readTrainingState(findCheckpoint(runDir, 'last')).state.step).toBe(3);
    expect(readCheckpoint(findCheckpoint(runDir, 'last')).tensors.size).toBe(2);
    const files = readdirSync(runDir, { recursive: true }).map(String);
    expect(files.filter((name) => name.includes('.tmp'))).toEqual([]);

    const unbroken = temporaryFolder();
    await train(regression(), unbroken, config);
    await train(regression(), runDir, config, { resume: true });
    expect(bytesOf(runDir, 'metrics.jsonl')).toBe(bytesOf(unbroken, 'metrics.jsonl'));
  });
});

describeEachEngine('training a tiny language model', () => {
  it('learns, and holds no more tensors and bytes after twenty steps than after two', async () => {
    const tree = tinyLanguageTree(undefined, 3, 1);
    const task = tinyLanguageTask(tree);
    const memory: { numTensors: number; numBytes: number }[] = [];
    const watched: TrainingTask = {
      ...task,
      loss: (index) => {
        // Inside the step's own scope: what is alive here besides the parameters outlives a step.
        const { numTensors, numBytes } = tf.memory();
        memory.push({ numTensors, numBytes });
        return task.loss(index);
      },
    };
    const runDir = temporaryFolder();
    await train(watched, runDir, { steps: 22, learningRate: 0.1, evaluateEvery: 5 });
    expect(memory.slice(2)).toEqual(new Array(20).fill(memory[1]));
    const losses = metric(runDir, 'validation/loss');
    expect(losses.at(-1)).toBeLessThan(0.9 * losses[0]);
    tree.dispose();
  });

  it('leaves no tensor behind but the parameters', async () => {
    const tree = tinyLanguageTree();
    const before = tf.memory().numTensors;
    await train(tinyLanguageTask(tree), temporaryFolder(), { steps: 2 });
    expect(tf.memory().numTensors).toBe(before);
    tree.dispose();
  });
});
