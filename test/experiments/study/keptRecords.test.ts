import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { StudyExperiment } from '../../../experiments/config/studyConfig.js';
import { recordPath } from '../../../experiments/study/cellRecord.js';
import { fusionCells } from '../../../experiments/study/fusionCells.js';
import { cellSettings, type StudyRecord } from '../../../experiments/study/fusionRecord.js';
import { keepRecords } from '../../../experiments/study/keptRecords.js';
import type { StudyCell } from '../../../experiments/study/study.js';

const STAGES = ['tokenizer', 'vision', 'language', 'merge', 'align', 'evaluate'];
const STUDY = StudyExperiment.parse({
  kind: 'study',
  name: 'mini',
  seeds: [1, 2],
  ...Object.fromEntries(STAGES.map((stage) => [stage, `${stage}.yaml`])),
  pairs: [6],
  controlsOf: 'bridge',
  scores: ['NLL'],
  withoutControls: [],
  rows: [
    { name: 'bridge', merge: [], align: [] },
    { name: 'zero trained', merge: [], align: false },
  ],
});
const CELLS = fusionCells(STUDY);

/** The cells of the study as its records are told apart. */
function cellsOf(digest: string): StudyCell<StudyRecord>[] {
  return CELLS.map((cell) => ({
    ...{ label: cell.row.name, folder: cell.folder, settings: cellSettings(STUDY, cell, digest) },
    stages: () => [],
    record: () => {
      throw new Error('is not run');
    },
  }));
}

let folder: string;
let kept: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
  kept = join(folder, 'records', 'mini.jsonl');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

/** A finished cell of a run, told from others by its seconds. */
function finish(run: string, cellIndex: number, seconds: number, digest = 'a'): void {
  const cell = CELLS[cellIndex];
  const path = recordPath(join(folder, run), cell);
  mkdirSync(dirname(path), { recursive: true });
  const record: StudyRecord = {
    settings: cellSettings(STUDY, cell, digest),
    trainableParameters: 0,
    backboneParameters: 0,
    seconds,
    provenance: { engine: { name: 'wasm', device: 'CPU' }, processor: '1 × test', commit: null },
    sets: [],
  };
  writeFileSync(path, JSON.stringify(record));
}

const keep = (run: string, digest = 'a'): number[] =>
  keepRecords({ cells: cellsOf(digest) }, join(folder, run), kept).map(({ seconds }) => seconds);

it('adds the cells of a second run to those kept of the first, in the order of the cells', () => {
  finish('one', 2, 20);
  finish('one', 0, 1);
  expect(keep('one')).toEqual([1, 20]);
  finish('two', 1, 300);
  expect(keep('two')).toEqual([1, 300, 20]);
  expect(readFileSync(kept, 'utf8').match(/^\{.*\}$/gm)).toHaveLength(3);
});

it('takes the run’s own record before the one that was kept', () => {
  finish('one', 0, 1);
  keep('one');
  finish('two', 0, 2);
  expect(keep('two')).toEqual([2]);
});

it('drops what was made with other stage files', () => {
  finish('one', 0, 1);
  keep('one');
  finish('two', 1, 2, 'b');
  expect(keep('two', 'b')).toEqual([2]);
});

it('leaves the file alone when no record fits', () => {
  finish('one', 0, 1);
  keep('one');
  const before = readFileSync(kept, 'utf8');
  expect(keep('none', 'b')).toEqual([]);
  expect(readFileSync(kept, 'utf8')).toBe(before);
});

it('refuses a run folder of other settings', () => {
  finish('one', 0, 1, 'b');
  expect(() => keep('one')).toThrow(/record\.json: was made with other settings than the study's files give/);
});
