import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { AlignExperiment } from '#fusion';
import { selectEngine } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { findCheckpoint, readCheckpoint, writeCheckpoint } from '#src/training';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { rejectedLine } from '../../support/thrown.js';
import { alignTiny, tinyAlignment } from '../../support/tinyAlign.js';
import { writeTinyBackbones } from '../../support/tinyBackbones.js';
import { writeTinyCaptions } from '../../support/tinyCaptions.js';
import { mergeTiny } from '../../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

async function mergedFolder(): Promise<string> {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  await writeTinyCaptions(folder);
  mergeTiny(folder);
  return folder;
}

function startingFrom(initFrom: Record<string, unknown>): AlignExperiment {
  return AlignExperiment.parse({ ...tinyAlignment(), initFrom: { checkpoint: 'align', select: 'last', ...initFrom } });
}

describe('an alignment with initFrom', () => {
  it('starts with the bridges of another one, and its moments where they are kept', async () => {
    const folder = await mergedFolder();
    const first = await alignTiny(folder);
    const second = await alignTiny(folder, startingFrom({ optimizer: 'keep' }), 'second');
    expect(readMetrics(second.runDir)[0].values['validation/captionNll']).toBe(
      Math.fround(first.last['validation/captionNll']),
    );
    expect(second.backbonesKept?.kept).toBe(first.backbonesKept?.total);
  });

  it('leaves what it freezes', async () => {
    const folder = await mergedFolder();
    await alignTiny(folder);
    const { runDir } = await alignTiny(folder, startingFrom({ freeze: ['textBridge'] }), 'second');
    const [before, after] = [join(folder, 'align'), runDir].map(
      (run) => readCheckpoint(findCheckpoint(run, 'last')).tensors,
    );
    for (const [name, { values }] of before) {
      if (name.includes('imageBridge/valueParamTokens')) expect(after.get(name)!.values, name).not.toEqual(values);
      if (name.includes('textBridge')) expect(after.get(name)!.values, name).toEqual(values);
    }
  });

  it('takes bridges into other backbones of the same shape, and leaves those as they are', async () => {
    const folder = await mergedFolder();
    await alignTiny(folder);
    const { tensors, ...language } = readCheckpoint(join(folder, 'language'));
    const other = new Map(
      [...tensors].map(([name, { shape, values }]) => [name, { shape, values: values.map((v) => 1.1 * v) }]),
    );
    writeCheckpoint(join(folder, 'other-language'), { ...language, tensors: other });
    mergeTiny(folder, {}, 'other', 'other-language');
    const experiment = { ...startingFrom({}), model: 'other', training: { ...startingFrom({}).training, steps: 0 } };
    const { runDir, backbonesKept } = await alignTiny(folder, experiment, 'second');
    expect(backbonesKept?.kept).toBe(backbonesKept?.total);
    const [from, to] = [join(folder, 'align'), runDir].map(
      (run) => readCheckpoint(findCheckpoint(run, 'last')).tensors,
    );
    for (const [name, { values }] of from) {
      if (name.includes('Bridge/')) expect(to.get(name)!.values, name).toEqual(values);
    }
    expect(to.get('language/tokenEmbedding')!.values).toEqual(other.get('language/tokenEmbedding')!.values);
  });

  it('refuses an alignment that joins them another way, and growth', async () => {
    const folder = await mergedFolder();
    await alignTiny(folder);
    mergeTiny(folder, { bridge: { tokens: 5 } }, 'other');
    const other = { ...startingFrom({}), model: 'other' };
    expect(await rejectedLine(alignTiny(folder, other, 'second'))).toContain('it has another fusion');
    const stages = [{ afterStep: 4, policy: 'preserve', factor: 2, optimizer: 'keep', warmupSteps: 0 }] as const;
    const growing = tinyAlignment({ training: { stages: [...stages] } });
    expect(await rejectedLine(alignTiny(folder, growing, 'third'))).toContain(
      'only vision and language backbones grow',
    );
  });
});
