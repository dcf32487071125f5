import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readJson } from '#src/storage';
import { findCheckpoint, readProgress } from '#src/training';
import { keepRecords } from '../../../experiments/study/keptRecords.js';
import { openStudy } from '../../../experiments/study/openStudy.js';
import type { SweepRecord } from '../../../experiments/study/sweepStudy.js';
import { MINI_SWEEP, writeMiniSweep } from '../../support/miniSweep.js';
import { type Outcome, refusal, tokenfuse, writeExperiment } from '../../support/tokenfuse.js';

let folder: string;
let path: string;
let outcome: Outcome;
const words = (...more: string[]): string[] => ['study', path, '--engine', 'wasm', ...more];
const recordIn = (out: string, seed: number, row: string): SweepRecord => {
  const seedDir = join(folder, out, `seed-${seed}`);
  const cell = readdirSync(seedDir).find((name) => name.replace(/-[0-9a-f]{8}$/, '') === row);
  return readJson(join(seedDir, cell ?? row, 'record.json'), 'record') as SweepRecord;
};
const stagesIn = (out: string, kind: string): string[] =>
  readdirSync(join(folder, out, 'stages')).filter((name) => name.startsWith(`${kind}-`));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
  path = writeMiniSweep(join(folder, 'experiments'), { seeds: [1] });
  outcome = await tokenfuse(words('--out', 'out'), folder);
  if (outcome.code !== 0) throw new Error(outcome.stderr);
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('runs equal stages once', () => {
  // small, large (which is also twin), and what was trained after the growth.
  expect(stagesIn('out', 'language')).toHaveLength(3);
  expect(stagesIn('out', 'grow')).toHaveLength(1);
  expect(stagesIn('out', 'scenes')).toHaveLength(1);
  expect(recordIn('out', 1, 'twin').scores).toEqual(recordIn('out', 1, 'large').scores);
});

it('counts what the model before the growth has cost', () => {
  const [small, large, grown] = ['small', 'large', 'grown'].map((row) => recordIn('out', 1, row));
  const flops = [small, large, grown].map(({ scores }) => scores.FLOPs ?? Number.NaN);
  expect(flops[2]).toBe(flops[0] + flops[1]);
  const state = readProgress(findCheckpoint(join(folder, 'out', grown.stages[2].folder), 'last'));
  expect(state.flops).toBe(flops[2]);
});

it('reads scores of the stages that the row has', () => {
  const [small, grown] = ['small', 'grown'].map((row) => recordIn('out', 1, row));
  // preserve keeps the function: the loss is that of the small model, to rounding.
  expect(Math.abs((grown.scores['after growth'] ?? 0) - (small.scores.loss ?? 1))).toBeLessThan(1e-5);
  expect(small.scores['after growth']).toBeNull();
  expect(grown.stages.map(({ name }) => name)).toEqual(['small', 'double', 'after']);
  expect(grown.provenance.engine.name).toBe('wasm');
});

it('writes a table and a figure', () => {
  const text = readFileSync(join(folder, 'out', 'results.md'), 'utf8');
  expect(text).toMatch(/^4 of 4 cells, seed 1; .*wasm/);
  expect(text.match(/^\| (small|large|twin|grown) \| 1 \|/gm)).toHaveLength(4);
  expect(text).toContain('![Loss by FLOPs](mini-loss.svg)');
  expect(readFileSync(join(folder, 'out', 'mini-loss.svg'), 'utf8')).toContain('FLOPs, log scale');
  expect(outcome.stdout).toContain('| grown | 1 |');
});

it('keeps what is done when it is run again, and goes on where a stage is missing', async () => {
  const { stages } = recordIn('out', 1, 'grown');
  const [small, , after] = stages.map((stage) => join(folder, 'out', stage.folder, 'metrics.jsonl'));
  const before = statSync(small).mtimeMs;
  const metrics = readFileSync(after, 'utf8');
  const seedDir = join(folder, 'out', 'seed-1');
  for (const cell of readdirSync(seedDir)) {
    if (cell.startsWith('grown')) rmSync(join(seedDir, cell), { recursive: true });
  }
  rmSync(join(folder, 'out', stages[2].folder), { recursive: true });
  const again = await tokenfuse(words('--out', 'out'), folder);
  expect(again.stderr).toBe('');
  expect(again.stdout.match(/there already/g)).toHaveLength(3);
  expect(statSync(small).mtimeMs).toBe(before);
  expect(readFileSync(after, 'utf8')).toBe(metrics);
}, 120_000);

it('runs neither recorded cells nor the stages that only they need', async () => {
  const study = openStudy(path);
  const records = join(folder, 'records.jsonl');
  expect(keepRecords(study, join(folder, 'out'), records)).toHaveLength(4);
  writeFileSync(records, readFileSync(records, 'utf8').split('\n').slice(1).join('\n'));
  const { code, stdout } = await tokenfuse(words('--out', 'elsewhere', '--records', records), folder);
  expect(code).toBe(0);
  expect(stdout.match(/: recorded$/gm)).toHaveLength(3);
  expect(stagesIn('elsewhere', 'language')).toHaveLength(1);
  expect(readFileSync(join(folder, 'elsewhere', 'results.md'), 'utf8')).toMatch(/^4 of 4 cells/);
}, 120_000);

it('--quick runs the variant that the file describes, in a folder of its own', async () => {
  const { code, stdout } = await tokenfuse(words('--quick'), folder);
  expect(code).toBe(0);
  expect(stdout).toContain(`1 cells in ${join(folder, 'runs', 'mini-quick')}`);
  const [run] = stagesIn('runs/mini-quick', 'language');
  const config = readJson(join(folder, 'runs/mini-quick/stages', run, 'config.json'), 'configuration');
  expect(config).toMatchObject({ training: { steps: 1 } });
}, 120_000);

it('shrinks and tunes as well', async () => {
  const files = join(folder, 'others');
  const training = { steps: 2, batchSize: 4, learningRate: 0.01, evaluateEvery: 1, checkpointEvery: 2 };
  const text = { files: ['x'], validationFiles: ['x'], documents: 'line', layout: 'documents', seqLen: 64 };
  const { train } = MINI_SWEEP.stages;
  const others = writeMiniSweep(files, {
    seeds: [1],
    stages: {
      ...MINI_SWEEP.stages,
      half: { shrink: { share: 0.5, batches: 2 } },
      smaller: {
        extends: 'train',
        from: { 'initFrom.checkpoint': 'previous' },
        set: ['qkvParamTokens=6', 'outputParamTokens=6', 'ffnParamTokens=12'].map((word) => `model.stack.${word}`),
      },
      tuned: {
        file: 'tune.yaml',
        from: {
          model: 'previous',
          'language.data.files.0': train.from['data.files.0'],
          'language.data.validationFiles.0': train.from['data.validationFiles.0'],
        },
      },
    },
    rows: [
      { name: 'shrunk', stages: ['small', 'half', 'smaller'] },
      { name: 'tuned', stages: ['small', 'tuned'] },
    ],
    scores: [{ name: 'loss', metric: 'validation/loss' }],
    figures: [],
    quick: undefined,
  });
  writeExperiment(files, {
    ...{ kind: 'tune', name: 'tune', model: 'language', group: { name: 'task', tokens: 2 } },
    language: { data: text },
    training,
  });
  const { code, stderr } = await tokenfuse(['study', others, '--engine', 'wasm', '--out', 'others-out'], folder);
  expect([code, stderr]).toEqual([0, '']);
  expect(stagesIn('others-out', 'language')).toHaveLength(2);
  const [shrunk, tuned] = ['shrunk', 'tuned'].map((row) => recordIn('others-out', 1, row).scores.loss);
  expect(shrunk).toBeGreaterThan(0);
  expect(tuned).toBeGreaterThan(0);
  expect(tuned).not.toBe(shrunk);
}, 120_000);

it('refuses --quick where the file has none, and for ways of joining', async () => {
  const plain = writeMiniSweep(join(folder, 'plain'), { quick: undefined });
  expect(await refusal(['study', plain, '--quick'], folder, 2)).toContain("expected a key 'quick'");
  const fusion = join(import.meta.dirname, '../../../experiments/relations/study.yaml');
  expect(await refusal(['study', fusion, '--quick'], folder, 2)).toContain('kind study, which has no quick variant');
}, 60_000);

it('a stage that failed is told by its row and name', async () => {
  mkdirSync(join(folder, 'broken'), { recursive: true });
  const study = openStudy(path);
  expect(study.cells.map(({ label }) => label)).toContain('seed 1 grown');
  // Training finds a file in the place of its run directory.
  const { stages } = recordIn('out', 1, 'large');
  mkdirSync(join(folder, 'broken', 'stages'));
  writeFileSync(join(folder, 'broken', stages[0].folder), '');
  const { code, stderr } = await tokenfuse(words('--out', 'broken'), folder);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^tokenfuse: stage 'seed 1 large: large': /);
  expect(existsSync(join(folder, 'broken', 'results.md'))).toBe(false);
}, 120_000);
