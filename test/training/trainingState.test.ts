import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeJsonAtomic } from '#src/storage';
import { readProgress, type TrainingState, writeCheckpoint } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const state: TrainingState = { step: 4, seed: 1, dataPosition: 8, bestValue: 0.5, bestStep: 2 };
const owner = { config: { steps: 10, gradientAccumulation: 2 }, seed: 1 };

/** A checkpoint of step 4 whose state.json says something else. */
function withState(changed: object): string {
  const directory = join(temporaryFolder(), 'step-0000004');
  const tensors = new Map([['w', { shape: [1], values: Float32Array.of(0) }]]);
  const model = { kind: 'language', config: {} } as const;
  writeCheckpoint(directory, { model, tensors, assets: new Map() }, { optimizer: new Map(), state });
  rmSync(join(directory, 'manifest.json'));
  writeJsonAtomic(join(directory, 'state.json'), { ...state, ...changed });
  return directory;
}

describe('a training state', () => {
  it('of the run that wrote it is taken', () => {
    expect(readProgress(withState({}), owner)).toEqual(state);
  });

  it.each<[string, object, string]>([
    ['of another step than its folder', { step: 3, dataPosition: 6 }, 'step: expected 4, as in step-0000004, got 3'],
    ['whose best step is to come', { bestStep: 5 }, 'bestStep: expected at most step 4, got 5'],
    [
      'at another place in the data',
      { dataPosition: 4 },
      'dataPosition: expected 8, step × gradientAccumulation, got 4',
    ],
    ['of another seed', { seed: 2 }, 'seed: expected 1, that of the experiment, got 2'],
  ])('%s is refused', (_, changed, expected) => {
    const directory = withState(changed);
    expect(userErrorLine(() => readProgress(directory, owner))).toBe(`${join(directory, 'state.json')}: ${expected}`);
  });

  it('beyond the end of the run is refused', () => {
    const short = { ...owner, config: { ...owner.config, steps: 3 } };
    expect(userErrorLine(() => readProgress(withState({}), short))).toContain('at most training.steps 3, got 4');
  });
});
