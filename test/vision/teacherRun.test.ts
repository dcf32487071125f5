import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { findCheckpoint, pointAt, readCheckpoint, readTrainingState, writeCheckpoint } from '#src/training';
import { trainVision, VisionExperiment } from '#vision';
import { recordedOutput } from '../support/streams.js';
import { DISTILLATION, taughtExperiment as experiment, JOINT, writeNoise } from '../support/taughtRun.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

async function images(): Promise<string> {
  const root = temporaryFolder();
  await writeNoise(root);
  return root;
}

interface Given {
  readonly resume?: boolean;
  readonly output?: ReturnType<typeof recordedOutput>;
  readonly signal?: { readonly aborted: boolean; readonly reason?: unknown };
}

function run(root: string, name: string, of: VisionExperiment = experiment(), given: Given = {}) {
  const { resume = false, output = recordedOutput(), signal } = given;
  const runDir = join(root, 'runs', name);
  return { runDir, result: trainVision(of, { runDir, root, cacheDir: join(root, 'cache'), resume, output, signal }) };
}

function filesOfLast(runDir: string): Map<string, string> {
  const folder = findCheckpoint(runDir, 'last');
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString('base64')]));
}

describe('a run with a teacher', () => {
  it('keeps the teacher in its checkpoints, beside the model, and memory flat', async () => {
    const root = await images();
    const before = tf.memory().numTensors;
    const { runDir, result } = run(root, 'run');
    const { last } = await result;
    expect(tf.memory().numTensors).toBe(before);
    expect(Object.keys(last).sort()).toEqual(
      ['distillationLoss', 'jointError', 'loss', 'maskedError', 'prototypeInformation', 'targetDeviation'].map(
        (name) => `validation/${name}`,
      ),
    );
    const folder = findCheckpoint(runDir, 'last');
    // Its losses are against a teacher that moves, so the last checkpoint is the best.
    expect(findCheckpoint(runDir, 'best')).toBe(folder);
    expect(readdirSync(folder)).toContain('teacher.safetensors');
    const { tensors, assets } = readCheckpoint(folder);
    expect(assets.size).toBe(0);
    expect([...tensors.keys()].filter((name) => /^(jointEmbedding|selfDistillation)/.test(name))).toEqual([]);
  });

  it('goes on after a stop as if there had been none', async () => {
    const root = await images();
    const unbroken = run(root, 'unbroken');
    await unbroken.result;
    let asked = 0;
    const signal = {
      get aborted() {
        return ++asked > 6;
      },
      reason: new Error('enough'),
    };
    await expect(run(root, 'stopped', experiment(), { signal }).result).rejects.toThrow('enough');
    const stopped = join(root, 'runs', 'stopped');
    expect(filesOfLast(stopped).get('state.json')).not.toBe(filesOfLast(unbroken.runDir).get('state.json'));
    await run(root, 'stopped', experiment(), { resume: true }).result;
    expect(filesOfLast(stopped)).toEqual(filesOfLast(unbroken.runDir));
    expect(readMetrics(stopped)).toEqual(readMetrics(unbroken.runDir));
  });

  it('goes on after a crash as if there had been none', async () => {
    const root = await images();
    const unbroken = run(root, 'unbroken');
    await unbroken.result;
    const output = {
      ...recordedOutput(),
      line: (text = '') => {
        if (text.includes('step 10')) throw new Error('crash');
      },
    };
    await expect(run(root, 'crashed', experiment(), { output }).result).rejects.toThrow('crash');
    const crashed = join(root, 'runs', 'crashed');
    expect(findCheckpoint(crashed, 'last')).toContain('step-0000008');
    await run(root, 'crashed', experiment(), { resume: true }).result;
    expect(filesOfLast(crashed)).toEqual(filesOfLast(unbroken.runDir));
    expect(readMetrics(crashed)).toEqual(readMetrics(unbroken.runDir));
  });

  it('does not go on without its teacher', async () => {
    const root = await images();
    const { runDir, result } = run(root, 'run', experiment({}, { steps: 4 }));
    await result;
    const folder = findCheckpoint(runDir, 'last');
    // As of a run whose objectives had none.
    writeCheckpoint(folder, readCheckpoint(folder), readTrainingState(folder));
    pointAt(runDir, ['best', 'last'], basename(folder));
    const line = await rejectedLine(run(root, 'run', experiment({}, { steps: 8 }), { resume: true }).result);
    expect(line).toMatch(/cannot read tensors .*teacher\.safetensors: no such file/);
  });

  it('counts the passes of the teacher, which has no gradient, once', async () => {
    const root = await images();
    const cost = async (objectives: object[], name: string): Promise<number> => {
      const { runDir, result } = run(root, name, experiment({ objectives }, { steps: 1 }));
      await result;
      return readMetrics(runDir).findLast((entry) => 'train/flops' in entry.values)!.values['train/flops'];
    };
    // 16 patches of 12 numbers, width 12, layers of 12, 12, 12, 12 and 24 tokens; 4 blocks of 2 patches, so 8 are seen.
    const stackOf = (tokens: number): number => tokens * 2 * 12 * 72 + 2 * 12 * tokens ** 2;
    const image = (patches: number): number => patches * 12 * 12 + stackOf(patches);
    // A predictor of width 8 over the 8 patches seen and the 2 of each block.
    const predictor = 8 * 12 * 8 + 4 * (10 * 2 * 8 * 64 + 2 * 8 * 10 ** 2) + 4 * 2 * 8 * 12;
    expect(await cost([JOINT], 'joint')).toBe(Math.fround(4 * (6 * (image(8) + predictor) + 2 * image(16))));
    // A head of 12 × 16, 16 × 4 and 4 × 8 numbers over two crops of 16 patches and one of 4.
    const head = 12 * 16 + 16 * 4 + 4 * 8;
    expect(await cost([DISTILLATION], 'distillation')).toBe(
      Math.fround(4 * (6 * (2 * image(16) + image(4) + 3 * head) + 2 * 2 * (image(16) + head))),
    );
  });
});

describe('a teacher', () => {
  it.each([
    ['stages', [{ afterStep: 4, policy: 'preserve', factor: 2 }], 'grow the model between two runs'],
    ['patience', 3, 'whose losses at different steps'],
    ['nested', { least: 0.25 }, 'train prefixes in a second run'],
  ])('is refused with training.%s', (key, value, way) => {
    const parsed = VisionExperiment.safeParse({
      ...experiment(),
      training: { ...experiment().training, [key]: value },
    });
    expect(parsed.error?.issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
      [`training.${key}`, expect.stringContaining(way)],
    ]);
  });
});
