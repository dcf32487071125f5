import { afterEach, describe, expect, it, vi } from 'vitest';
import { atMatmulPrecision, describeEngine, ENGINES, requirePrecision, selectEngine, tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import { doctorCommand } from '../../experiments/commands/doctor.js';
import { addon } from '../support/kernelComparison.js';

const EMULATE = 'TOKENFUSE_EMULATE_BF16';
const hasBf16 = addon?.whyNoBf16('AVX512-BF16') === '';
const canEmulate = addon?.whyNoBf16('emulation') === '';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** 5 (1 + 2⁻⁹)², of operands that bf16 rounds to 1. */
function product(): number {
  return tf.tidy(() => {
    const x = tf.fill([5, 5], 1 + 2 ** -9);
    return tf.matMul(x, x).dataSync()[0];
  });
}

async function doctorLine(): Promise<string | undefined> {
  for (const name of ['cuda', 'tensorflow', 'webgpu', 'wasm', 'cpu'] as const) {
    vi.spyOn(ENGINES[name], 'probe').mockResolvedValue({ available: false, why: 'left out', install: '' });
  }
  const lines: string[] = [];
  await doctorCommand.run(
    { positionals: [], text: () => undefined, texts: () => [], commandLine: 'tokenfuse', flag: () => false },
    { line: (text = '') => void lines.push(text), interactive: false },
  );
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  return lines.find((line) => line.includes('bf16'));
}

describe('bf16 is refused, never left out in silence,', () => {
  it('on another engine', async () => {
    await expect(selectEngine('wasm', { matmulPrecision: 'bf16' })).rejects.toThrow(ConfigError);
    await expect(selectEngine('wasm', { matmulPrecision: 'bf16' })).rejects.toThrow(
      "matmulPrecision 'bf16': expected engine cuda on a card of compute capability 8.0 or engine native on a processor " +
        'with AVX512-BF16, got: engine wasm; ' +
        "set training.matmulPrecision to 'highest', or train on a machine where `tokenfuse doctor` shows bf16",
    );
  });

  it('as tf32 is', async () => {
    for (const engine of ['wasm', 'native'] as const) {
      if (!(await ENGINES[engine].probe()).available) continue;
      await expect(selectEngine(engine, { matmulPrecision: 'tf32' })).rejects.toThrow(
        `matmulPrecision 'tf32': expected engine cuda on a card of compute capability 8.0, got: engine ${engine}; ` +
          "set training.matmulPrecision to 'highest', or train on a machine where `tokenfuse doctor` shows tf32",
      );
      expect(() => atMatmulPrecision('tf32', product)).toThrow(`got: engine ${engine}`);
    }
  });

  it('by a step that is taken without asking first', async () => {
    await selectEngine('cpu');
    expect(() => atMatmulPrecision('bf16', product)).toThrow(/got: engine cpu/);
    expect(atMatmulPrecision('highest', product)).toBeGreaterThan(5);
  });

  it.skipIf(addon === undefined || hasBf16)('on a processor without it', async () => {
    vi.stubEnv(EMULATE, '');
    await expect(selectEngine('native', { matmulPrecision: 'bf16' })).rejects.toThrow(ConfigError);
    await selectEngine('native');
    expect(() => atMatmulPrecision('bf16', product)).toThrow(/got: the processor lacks AVX512-BF16; set training/);
    expect(product()).toBeGreaterThan(5);
    expect(await doctorLine()).toBe('native: matmulPrecision bf16: no, the processor lacks AVX512-BF16');
  });
});

describe.skipIf(!canEmulate)('bf16 emulated', () => {
  it('says that it is', async () => {
    vi.stubEnv(EMULATE, '1');
    expect(requirePrecision('bf16', 'native')).toBe('bf16 emulated');
    const info = await selectEngine('native', { matmulPrecision: 'bf16' });
    expect(info.matmulPrecision).toBe('bf16 emulated');
    expect(describeEngine(info)).toBe(`engine native on ${info.device}, training in bf16 emulated (asked for)`);
    expect(await doctorLine()).toMatch(/^native: matmulPrecision bf16: bf16 emulated/);
    expect((await selectEngine('native')).matmulPrecision).toBeUndefined();
  });

  it('is for the work alone, even where that fails', async () => {
    vi.stubEnv(EMULATE, '1');
    await selectEngine('native', { matmulPrecision: 'bf16' });
    expect(product()).toBeGreaterThan(5);
    expect(atMatmulPrecision('bf16', product)).toBe(5);
    expect(product()).toBeGreaterThan(5);
    const failing = (): never => {
      throw new Error('failed');
    };
    expect(() => atMatmulPrecision('bf16', failing)).toThrow('failed');
    expect(product()).toBeGreaterThan(5);
  });
});

it.skipIf(!hasBf16)('the processor multiplies in bf16 where doctor says that it has AVX512-BF16', async () => {
  vi.stubEnv(EMULATE, '');
  const by = addon?.whyNoBf16('AMX') === '' ? 'AMX' : 'AVX512-BF16';
  expect((await selectEngine('native', { matmulPrecision: 'bf16' })).matmulPrecision).toBe(`bf16 by ${by}`);
  expect(atMatmulPrecision('bf16', product)).toBe(5);
  expect(await doctorLine()).toBe(`native: matmulPrecision bf16: yes, by ${by}`);
});
