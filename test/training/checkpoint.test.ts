import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeJsonAtomic } from '#src/storage';
import {
  type Checkpoint,
  findCheckpoint,
  type ModelDescription,
  pointAt,
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

  it('replaces the one that is there, and leaves nothing aside', () => {
    const folder = temporaryFolder();
    writeCheckpoint(join(folder, 'x'), checkpoint(1), training);
    writeCheckpoint(join(folder, 'x'), checkpoint(2));
    expect(readCheckpoint(join(folder, 'x')).tensors).toEqual(checkpoint(2).tensors);
    expect(existsSync(join(folder, 'x', 'state.json'))).toBe(false);
    expect(readdirSync(folder)).toEqual(['x']);
  });

  it('that cannot be written is one clear line', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    const line = userErrorLine(() => writeCheckpoint(join(folder, 'file', 'x'), checkpoint()));
    expect(line).toContain(`cannot write ${join(folder, 'file', 'x')}`);
  });

  it('of a later format is refused', () => {
    const folder = join(temporaryFolder(), 'x');
    writeCheckpoint(folder, checkpoint());
    writeJsonAtomic(join(folder, 'model.json'), { ...model, format: 3 });
    expect(userErrorLine(() => readModelDescription(folder))).toContain("'format'");
  });

  it('of the first format is read', () => {
    const folder = join(temporaryFolder(), 'x');
    writeCheckpoint(folder, checkpoint());
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

describe('findCheckpoint', () => {
  function run(best?: string, last?: string): string {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'checkpoints'));
    for (const [name, directory] of Object.entries({ best, last })) {
      if (directory) writeJsonAtomic(join(folder, 'checkpoints', `${name}.json`), { directory });
    }
    return folder;
  }

  it('takes a checkpoint folder as it is', () => {
    const folder = join(temporaryFolder(), 'x');
    writeCheckpoint(folder, checkpoint());
    expect(findCheckpoint(folder)).toBe(folder);
  });

  it('takes the best of a run, the last when asked, and the last when there is no best', () => {
    const both = run('step-1', 'step-2');
    expect(findCheckpoint(both)).toBe(join(both, 'checkpoints', 'step-1'));
    expect(findCheckpoint(both, 'last')).toBe(join(both, 'checkpoints', 'step-2'));
    const onlyLast = run(undefined, 'step-2');
    expect(findCheckpoint(onlyLast)).toBe(join(onlyLast, 'checkpoints', 'step-2'));
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

  it('says so when a pointer is damaged', () => {
    const folder = run();
    writeFileSync(join(folder, 'checkpoints', 'last.json'), '{"directory": ');
    expect(userErrorLine(() => findCheckpoint(folder))).toContain('not valid JSON');
  });
});

describe('pointAt', () => {
  it('keeps the folders that best and last point at, and removes the others and what a kill left behind', () => {
    const folder = temporaryFolder();
    const checkpoints = join(folder, 'checkpoints');
    for (const name of ['step-1', 'step-2', 'step-3', 'step-4.99.tmp', 'notes']) {
      mkdirSync(join(checkpoints, name), { recursive: true });
    }
    pointAt(folder, ['best', 'last'], 'step-2');
    pointAt(folder, ['last'], 'step-3');
    expect(readdirSync(checkpoints).sort()).toEqual(['best.json', 'last.json', 'notes', 'step-2']);
    expect(findCheckpoint(folder)).toBe(join(checkpoints, 'step-2'));
  });
});
