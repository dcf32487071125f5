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
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readJson } from '#src/storage';
import { findCheckpoint, readCheckpoint } from '#src/training';
import type { StudyRecord } from '../../../experiments/study/fusionRecord.js';
import { writeMiniPipeline } from '../../support/miniPipeline.js';
import { type Outcome, refusal, tokenfuse, writeExperiment } from '../../support/tokenfuse.js';

const STAGES = ['scenes', 'tokenizer', 'vision', 'language', 'merge', 'align', 'evaluate'];

let folder: string;
let study: string;
let outcome: Outcome;
const words = (...more: string[]): string[] => ['study', study, '--out', 'out', '--engine', 'wasm', ...more];
const recordOf = (cell: string): StudyRecord =>
  readJson(join(folder, 'out', 'seed-1', cell, 'record.json'), 'record') as StudyRecord;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
  const files = dirname(writeMiniPipeline(join(folder, 'experiments')));
  study = writeExperiment(files, {
    kind: 'study',
    name: 'mini',
    seeds: [1],
    ...Object.fromEntries(STAGES.map((stage) => [stage, `${stage}.yaml`])),
    pairs: [6],
    controlsOf: 'bridge',
    scores: ['NLL', 'CIDEr-D'],
    withoutControls: ['controls.randomVision=false', 'controls.nearestNeighbour=false', 'retrieval.poolSize=0'],
    rows: [
      { name: 'zero trained', merge: [], align: false },
      { name: 'bridge', merge: [], align: [] },
      { name: 'cross, random vision', vision: 'random', merge: ['fusion.method=crossAttention'], align: [] },
    ],
  });
  outcome = await tokenfuse(words(), folder);
  if (outcome.code !== 0) throw new Error(outcome.stderr);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('makes a record of every cell, with controls for the row that has them', () => {
  const [zero, bridge, cross] = ['zero-trained/untrained', 'bridge/pairs-6', 'cross-random-vision/pairs-6'].map(
    recordOf,
  );
  expect(zero.trainableParameters).toBe(0);
  expect(bridge.trainableParameters).toBe(6 * 4 * 32);
  // Four groups of four tokens of 16 + 16 numbers, and a gate.
  expect(cross.trainableParameters).toBe(4 * 4 * 32 + 1);
  const rows = (record: StudyRecord): string[] => record.sets[0].rows.map(({ name }) => name);
  expect(rows(bridge)).toContain('random vision');
  expect(rows(zero)).not.toContain('random vision');
  expect(zero.sets.map(({ name }) => name)).toEqual(['seen', 'held-out']);
  const { NLL, objects } = bridge.sets[0].rows[0].scores;
  expect(NLL).toBeGreaterThan(0);
  expect(objects).toBeGreaterThanOrEqual(0);
  expect(bridge.provenance.engine.name).toBe('wasm');
  expect(bridge.settings.digest).toMatch(/^[0-9a-f]{64}$/);
});

it('trains the backbones once and draws the random one alike, with no step', () => {
  const keysOf = (path: string): ArrayLike<number> =>
    readCheckpoint(findCheckpoint(join(folder, 'out', 'seed-1', path))).tensors.get('block0/ffn/vision/keyParamTokens')!
      .values;
  const [trained, random] = [keysOf('vision'), keysOf('vision-random')];
  expect(keysOf('bridge/pairs-6/align')).toEqual(trained);
  expect(keysOf('cross-random-vision/pairs-6/align')).toEqual(random);
  expect(random).not.toEqual(trained);
});

it('trains on the first pairs only', () => {
  const log = readFileSync(join(folder, 'out', 'seed-1', 'bridge', 'pairs-6', 'align', 'config.json'), 'utf8');
  expect(JSON.parse(log).data.maxPairs).toBe(6);
});

it('keeps what is done when it is run again', async () => {
  const path = join(folder, 'out', 'seed-1', 'bridge', 'pairs-6', 'record.json');
  const before = statSync(path).mtimeMs;
  const { code, stdout } = await tokenfuse(words(), folder);
  expect(code).toBe(0);
  expect(stdout.match(/there already/g)).toHaveLength(3);
  expect(statSync(path).mtimeMs).toBe(before);
}, 60_000);

it('runs neither the cells that are recorded nor the backbones that only they need', async () => {
  const records = join(folder, 'records.jsonl');
  writeFileSync(
    records,
    `${JSON.stringify(recordOf('bridge/pairs-6'))}\n${JSON.stringify(recordOf('zero-trained/untrained'))}\n`,
  );
  const { code, stdout } = await tokenfuse(words('--records', records, '--out', 'elsewhere'), folder);
  expect(code).toBe(0);
  expect(stdout).toContain('2 of 3 cells are recorded in');
  expect(stdout).toMatch(/^1 cells in /m);
  expect(stdout.match(/bridge, 6 pairs: recorded|zero trained: recorded/g)).toHaveLength(2);
  const seed = join(folder, 'elsewhere', 'seed-1');
  expect(readdirSync(seed).sort()).toEqual(['cross-random-vision', 'language', 'vision-random']);
}, 60_000);

it('refuses records that are none, by their line', async () => {
  const records = join(folder, 'others.jsonl');
  writeFileSync(records, `${JSON.stringify(recordOf('bridge/pairs-6'))}\n{"caption":"a cat"}\n`);
  const line = await refusal(words('--records', records, '--out', 'elsewhere'), folder, 2);
  expect(line).toMatch(/others\.jsonl: line 2: expected a record that `npm run results` kept$/);
});

it('refuses a folder of other settings, in one line', async () => {
  const line = await refusal(words('--set', 'rows.1.align=[training.steps=3, training.warmupSteps=0]'), folder, 2);
  expect(line).toMatch(/bridge\/pairs-6\/record\.json: was made with other settings .*choose another --out$/);
  expect(existsSync(join(folder, 'out', 'seed-1', 'bridge', 'pairs-6', 'record.json'))).toBe(true);
}, 60_000);

it('refuses a folder made with another stage file, in one line', async () => {
  const align = join(dirname(study), 'align.yaml');
  const before = readFileSync(align, 'utf8');
  writeFileSync(align, before.replace(/"?learningRate"?: ?[\d.e-]+/, 'learningRate: 0.125'));
  expect(readFileSync(align, 'utf8')).not.toBe(before);
  const line = await refusal(words(), folder, 2);
  writeFileSync(align, before);
  expect(line).toMatch(/record\.json: was made with other settings than the study's files give/);
}, 60_000);

it('says what failed, not that what ran beside it was told to end', async () => {
  // Language training finds a file in the place of its run directory, while vision training runs.
  mkdirSync(join(folder, 'broken', 'seed-1'), { recursive: true });
  writeFileSync(join(folder, 'broken', 'seed-1', 'language'), '');
  const { code, stderr } = await tokenfuse(words('--out', 'broken', '--threads', '2'), folder);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^tokenfuse: stage 'seed 1 language trained': /);
  expect(stderr).not.toMatch(/aborted|SIGTERM/);
}, 60_000);

it('refuses before anything runs a row whose overrides no stage knows', async () => {
  const line = await refusal(words('--set', 'rows.1.merge=[fusion.methd=routed]', '--out', 'new'), folder, 2);
  expect(line).toContain("unknown key 'fusion.methd'");
  expect(existsSync(join(folder, 'new'))).toBe(false);
});
