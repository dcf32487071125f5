import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { HostTensor } from '#src/storage';
import { readCheckpoint, writeCheckpoint } from '#src/training';
import { randomValues } from './randomValues.js';
import { writeTinyBackbones } from './tinyBackbones.js';

/** The tiny backbones, the language one as a checkpoint of step 7 that training resumes from. */
export function tinyBackbonesWithState(folder: string): void {
  writeTinyBackbones(folder);
  const language = join(folder, 'language');
  const checkpoint = readCheckpoint(language);
  const moments = [...checkpoint.tensors]
    .filter(([name]) => !name.endsWith('/tau'))
    .flatMap(([name, { shape, values }]): [string, HostTensor][] =>
      ['adamM', 'adamV'].map((kind) => [
        `${name}/${kind}`,
        { shape, values: randomValues(values.length, name, kind).map((value) => Math.abs(value) + 0.1) },
      ]),
    );
  const state = { step: 7, seed: 1, dataPosition: 7, bestValue: null, bestStep: null, units: 700, flops: 9e6 };
  writeCheckpoint(join(folder, 'with state'), checkpoint, { optimizer: new Map(moments), state });
  rmSync(language, { recursive: true });
  cpSync(join(folder, 'with state'), language, { recursive: true });
}
