import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeJsonAtomic } from '#src/storage';
import {
  type Checkpoint,
  MANIFEST,
  type ModelDescription,
  readCheckpoint,
  readModelDescription,
  readTrainingState,
  writeCheckpoint,
} from '#src/training';
import { randomValues } from '../support/randomValues.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const model: ModelDescription = { kind: 'language', config: { nested: { seqLen: 8 }, list: [1, 2] } };

const checkpoint = (seed = 0): Checkpoint => ({
  model,
  tensors: new Map([
    ['a/keyParamTokens', { shape: [3, 4], values: randomValues(12, 'checkpoint', seed) }],
    ['a/tau', { shape: [], values: Float32Array.of(Math.sqrt(3)) }],
  ]),
  assets: new Map([['tokenizer.json', new Uint8Array(Buffer.from('{"é": 1}'))]]),
});

const training = {
  optimizer: new Map([['a/keyParamTokens/adamM', { shape: [2], values: Float32Array.of(1e-30, -0) }]]),
  state: { step: 7, seed: -3, dataPosition: 14, bestValue: 1.25, bestStep: 5 },
};

describe('a checkpoint', () => {
  it('is read back to the bit: tensors, description and files that travel with it', () => {
    const folder = join(temporaryFolder(), 'checkpoint');
    writeCheckpoint(folder, checkpoint());
    const back = readCheckpoint(folder);
    expect(back.model).toEqual(model);
    expect(back.tensors).toEqual(checkpoint().tensors);
    expect([...back.assets].map(([name, bytes]) => [name, Buffer.from(bytes).toString()])).toEqual([
      ['tokenizer.json', '{"é": 1}'],
    ]);
  });

  it('carries optimizer and state, read back to the bit', () => {
    const folder = join(temporaryFolder(), 'checkpoint');
    writeCheckpoint(folder, checkpoint(), training);
    expect(readTrainingState(folder)).toEqual(training);
    expect([...readCheckpoint(folder).assets.keys()]).toEqual(['tokenizer.json']);
  });

  it('is the same bytes for the same content', () => {
    const [first, second] = [join(temporaryFolder(), 'a'), join(temporaryFolder(), 'b')];
    for (const folder of [first, second]) writeCheckpoint(folder, checkpoint(), training);
    for (const name of readdirSync(first)) {
      expect(readFileSync(join(first, name)).equals(readFileSync(join(second, name))), name).toBe(true);
    }
  });

  it('of the same step of a run replaces the one that is there', () => {
    const folder = temporaryFolder();
    const step = join(folder, 'step-0000007');
    writeCheckpoint(step, checkpoint(1), training);
    writeCheckpoint(step, checkpoint(2), training);
    expect(readCheckpoint(step).tensors).toEqual(checkpoint(2).tensors);
  });

  it('that is there already, file by file, stays in place: no moment is without it', () => {
    const step = join(temporaryFolder(), 'step-0000007');
    writeCheckpoint(step, checkpoint(), training);
    const { ino } = statSync(step);
    writeCheckpoint(step, checkpoint(), training);
    expect(statSync(step).ino).toBe(ino);
  });

  it('replaces one of the same step that is damaged', () => {
    const step = join(temporaryFolder(), 'step-0000007');
    writeCheckpoint(step, checkpoint(), training);
    writeFileSync(join(step, 'model.safetensors'), 'damaged');
    writeCheckpoint(step, checkpoint(), training);
    expect(readCheckpoint(step).tensors).toEqual(checkpoint().tensors);
  });

  it.each(['notes', 'step-0000007'])('leaves a folder %s that holds something else as it was', (name) => {
    const folder = join(temporaryFolder(), name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'thesis.txt'), 'years of work');
    for (const resumeData of [undefined, training]) {
      expect(userErrorLine(() => writeCheckpoint(folder, checkpoint(), resumeData))).toContain('exists already');
    }
    expect(readdirSync(folder)).toEqual(['thesis.txt']);
    expect(readdirSync(join(folder, '..'))).toEqual([name]);
  });

  it('takes an empty folder', () => {
    const folder = temporaryFolder();
    writeCheckpoint(folder, checkpoint());
    expect(readCheckpoint(folder).tensors).toEqual(checkpoint().tensors);
  });

  it('that cannot be written is one clear line', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    const line = userErrorLine(() => writeCheckpoint(join(folder, 'file', 'x'), checkpoint()));
    expect(line).toContain(`${join(folder, 'file')} is not a folder`);
  });

  it('of a later format is refused', () => {
    const folder = join(temporaryFolder(), 'x');
    writeCheckpoint(folder, checkpoint());
    rmSync(join(folder, MANIFEST));
    writeJsonAtomic(join(folder, 'model.json'), { ...model, format: 3 });
    expect(userErrorLine(() => readModelDescription(folder))).toContain("'format'");
  });

  it('of the first format is read', () => {
    const folder = join(temporaryFolder(), 'x');
    writeCheckpoint(folder, checkpoint());
    rmSync(join(folder, MANIFEST)); // there was none at that time
    writeJsonAtomic(join(folder, 'model.json'), { format: 1, ...model });
    expect(readModelDescription(folder)).toEqual(model);
  });

  it.each(['model.json', 'model.safetensors', 'state.json', 'optimizer.safetensors'])(
    'without its %s says so in one line',
    (name) => {
      const folder = join(temporaryFolder(), 'x');
      writeCheckpoint(folder, checkpoint(), training);
      rmSync(join(folder, name));
      const line = userErrorLine(() => {
        readCheckpoint(folder);
        readTrainingState(folder);
      });
      expect(line).toContain(join(folder, name));
      expect(line).toContain('no such file');
    },
  );
});
