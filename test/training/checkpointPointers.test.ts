import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HOST_ID, writeJsonAtomic } from '#src/storage';
import { findCheckpoint, pointAt, readProgress, writeCheckpoint } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const stepName = (step: number): string => `step-${String(step).padStart(7, '0')}`;

function writeStep(runDir: string, step: number): void {
  const tensors = new Map([['w', { shape: [1], values: Float32Array.of(step) }]]);
  writeCheckpoint(join(runDir, 'checkpoints', stepName(step)), {
    model: { kind: 'language', config: {} },
    tensors,
    assets: new Map(),
  });
}

/** A run with a best and a last checkpoint. */
function run(best: number | undefined, last: number): string {
  const runDir = temporaryFolder();
  for (const [name, step] of [['best', best] as const, ['last', last] as const]) {
    if (step === undefined) continue;
    writeStep(runDir, step);
    pointAt(runDir, [name], stepName(step));
  }
  return runDir;
}

describe('findCheckpoint', () => {
  it('takes a checkpoint folder as it is', () => {
    const folder = join(run(1, 2), 'checkpoints', stepName(2));
    expect(findCheckpoint(folder)).toBe(folder);
  });

  it('takes the best of a run, the last when asked, and the last when there is no best', () => {
    const both = run(1, 2);
    expect(findCheckpoint(both)).toBe(join(both, 'checkpoints', stepName(1)));
    expect(findCheckpoint(both, 'last')).toBe(join(both, 'checkpoints', stepName(2)));
    const onlyLast = run(undefined, 2);
    expect(findCheckpoint(onlyLast)).toBe(join(onlyLast, 'checkpoints', stepName(2)));
  });

  it('takes a pointer without a digest, as older versions wrote it', () => {
    const runDir = run(undefined, 2);
    writeJsonAtomic(join(runDir, 'checkpoints', 'last.json'), { directory: stepName(2) });
    expect(findCheckpoint(runDir)).toBe(join(runDir, 'checkpoints', stepName(2)));
  });

  it('says what it looked for in a folder without a model', () => {
    const folder = temporaryFolder();
    expect(userErrorLine(() => findCheckpoint(folder))).toBe(
      `cannot find a model at ${folder}: it has no model.json and no checkpoints/last.json`,
    );
  });

  it('says that a path is no folder', () => {
    expect(userErrorLine(() => findCheckpoint('/nowhere/at/all'))).toContain('expected a run directory');
  });

  it.each([
    ['best', 'best'],
    ['last', 'last'],
    ['last', 'best'],
  ] as const)('refuses every changed bit of %s.json, looking for the %s', (damaged, wanted) => {
    const runDir = run(1, 2);
    const path = join(runDir, 'checkpoints', `${damaged}.json`);
    const whole = readFileSync(path);
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const bytes = Buffer.from(whole);
      bytes[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(path, bytes);
      expect(userErrorLine(() => findCheckpoint(runDir, wanted))).toContain(path);
    }
  });

  it.each(['../../elsewhere', '/etc', 'step-1/../..', '.', ''])('refuses a pointer to %o', (directory) => {
    const runDir = run(1, 2);
    writeJsonAtomic(join(runDir, 'checkpoints', 'last.json'), { directory });
    expect(userErrorLine(() => findCheckpoint(runDir, 'last'))).toContain('expected the name of a folder beside it');
  });

  it('names the pointer to a checkpoint that is gone, and those that are left', () => {
    const runDir = run(1, 2);
    rmSync(join(runDir, 'checkpoints', stepName(2)), { recursive: true });
    const line = userErrorLine(() => findCheckpoint(runDir, 'last'));
    expect(line).toContain(`${join(runDir, 'checkpoints', 'last.json')}: damaged: there is no`);
    expect(line).toContain(join(runDir, 'checkpoints', stepName(1)));
  });
});

describe('pointAt', () => {
  it('keeps the checkpoints that best and last point at, and removes the others and what a kill left behind', () => {
    const runDir = temporaryFolder();
    const checkpoints = join(runDir, 'checkpoints');
    for (const step of [1, 2, 3]) writeStep(runDir, step);
    const killed = `step-0000004.${HOST_ID}-4194305-0123abcd.tmp`; // no process has this id
    for (const name of [killed, 'notes', 'step-by-step']) mkdirSync(join(checkpoints, name));
    pointAt(runDir, ['best', 'last'], stepName(2));
    writeStep(runDir, 3);
    pointAt(runDir, ['last'], stepName(3));
    expect(readdirSync(checkpoints).sort()).toEqual([
      'best.json',
      'last.json',
      'notes',
      stepName(2),
      stepName(3),
      'step-by-step',
    ]);
    expect(findCheckpoint(runDir)).toBe(join(checkpoints, stepName(2)));
  });

  it('keeps the former checkpoint of a step until the pointers name the one that replaces it', () => {
    const runDir = temporaryFolder();
    const step = join(runDir, 'checkpoints', stepName(1));
    const write = (bestValue: number): void =>
      writeCheckpoint(
        step,
        { model: { kind: 'language', config: {} }, tensors: new Map(), assets: new Map() },
        { optimizer: new Map(), state: { step: 1, seed: 0, dataPosition: 1, bestValue, bestStep: null } },
      );
    const found = (): number | null => readProgress(findCheckpoint(runDir, 'last')).bestValue;
    write(1);
    pointAt(runDir, ['last'], stepName(1));
    write(2);
    expect(found()).toBe(1);
    renameSync(step, `${step}.killed`); // as if it had been killed before the new one was in place
    expect(found()).toBe(1);
    renameSync(`${step}.killed`, step);
    write(3);
    expect(found()).toBe(1);
    pointAt(runDir, ['last'], stepName(1));
    expect(found()).toBe(3);
    expect(readdirSync(join(runDir, 'checkpoints')).sort()).toEqual(['last.json', stepName(1)]);
  });

  it("removes a checkpoint's own files only", () => {
    const runDir = run(1, 2);
    const notes = join(runDir, 'checkpoints', stepName(1), 'notes.txt');
    writeFileSync(notes, 'why this one is good');
    pointAt(runDir, ['best'], stepName(2));
    expect(existsSync(notes)).toBe(true);
    expect(readdirSync(join(notes, '..'))).toEqual(['notes.txt']);
  });
});
