import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { readJson } from '#src/storage';
import { readMetrics } from '#src/tracking';
import { addon } from '../support/kernelComparison.js';
import { writeMiniPipeline } from '../support/miniPipeline.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { refusal, tokenfuse } from '../support/tokenfuse.js';

const hasBf16 = addon?.whyNoBf16('AVX512-BF16') === '';
const canEmulate = addon?.whyNoBf16('emulation') === '';

const EMULATE = 'TOKENFUSE_EMULATE_BF16';
const BF16 = ['--set', 'training.matmulPrecision=bf16'];

afterEach(() => {
  vi.unstubAllEnvs();
});

it.skipIf(!canEmulate)('training in bf16 is on record and rounds the steps alone', async () => {
  vi.stubEnv(EMULATE, '1');
  const folder = temporaryFolder();
  writeMiniPipeline(folder);
  expect((await tokenfuse(['scenes', 'scenes.yaml'], folder)).code).toBe(0);
  const train = async (out: string, words: readonly string[]) => {
    const few = ['--set', 'training.steps=4', '--out', out, '--engine', 'native', ...words];
    const { code, stdout } = await tokenfuse(['train', 'vision.yaml', ...few], folder);
    expect(code).toBe(0);
    const [first, ...rest] = readMetrics(join(folder, out));
    return {
      stdout,
      first,
      losses: rest.map(({ values }) => values['train/loss']).filter((loss) => loss !== undefined),
    };
  };
  const highest = await train('highest', []);
  const rounded = await train('rounded', BF16);
  expect(rounded.stdout).toMatch(/^engine native on CPU, .*, training in bf16 emulated \(asked for\)$/m);
  expect(readJson(join(folder, 'rounded', 'config.json'), 'config')).toMatchObject({
    training: { matmulPrecision: 'bf16' },
  });
  expect(readJson(join(folder, 'rounded', 'provenance.json'), 'provenance')).toMatchObject({
    engine: { name: 'native', matmulPrecision: 'bf16 emulated' },
  });
  // The evaluation before the first step.
  expect(rounded.first).toEqual(highest.first);
  expect(rounded.losses).toHaveLength(4);
  for (const [i, loss] of rounded.losses.entries()) {
    expect(loss).not.toBe(highest.losses[i]);
    expect(Math.abs(loss / highest.losses[i] - 1)).toBeLessThan(0.01); // 0.0004 measured
  }
});

it.skipIf(addon === undefined || hasBf16)(
  'a pipeline on a processor without bf16 stops before its first stage',
  async () => {
    vi.stubEnv(EMULATE, '');
    const folder = temporaryFolder();
    const pipeline = writeMiniPipeline(join(folder, 'experiments'));
    const before = readdirSync(folder);
    const vision = join(folder, 'experiments', 'vision.yaml');
    const refused = await refusal(['train', vision, ...BF16, '--engine', 'native'], folder, 2);
    expect(refused).toMatch(/got: the processor lacks AVX512-BF16; set training\.matmulPrecision to 'highest'/);
    writeFileSync(vision, readFileSync(vision, 'utf8').replace('training:', 'training:\n  matmulPrecision: bf16'));
    expect(await refusal(['run', pipeline, '--out', 'runs'], folder, 2)).toBe(refused);
    expect(readdirSync(folder)).toEqual(before);
  },
);
