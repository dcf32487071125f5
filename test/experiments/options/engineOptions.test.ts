import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { Arguments } from '#src/cli';
import { ConfigError } from '#src/errors';
import { startEngine, threadsOf } from '../../../experiments/options/index.js';
import { native } from '../../../src/engine/native/index.js';

const withNative = (await native.probe()).available;
const most = availableParallelism();

function given(options: Record<string, string>): Arguments {
  return {
    positionals: [],
    text: (name) => options[name],
    texts: () => [],
    commandLine: 'tokenfuse',
    flag: () => false,
  };
}

async function start(options: Record<string, string>) {
  const lines: string[] = [];
  const info = await startEngine(given(options), { line: (text = '') => void lines.push(text), interactive: false });
  return { info, lines };
}

describe('--threads', () => {
  it('is a whole number of at most the processors here', () => {
    expect(threadsOf(given({}))).toBeUndefined();
    expect(threadsOf(given({ threads: '1' }))).toBe(1);
    expect(threadsOf(given({ threads: String(most) }))).toBe(most);
    for (const threads of ['0', '-1', '1.5', '1e0', '', 'all', String(most + 1)]) {
      expect(() => threadsOf(given({ threads }))).toThrow(ConfigError);
      expect(() => threadsOf(given({ threads }))).toThrow(
        `--threads: expected a whole number from 1 to ${most} (the processors here), got '${threads}'`,
      );
    }
  });

  it('says that it has no effect where an engine has no choice of threads', async () => {
    const { info, lines } = await start({ engine: 'wasm', threads: '1' });
    expect(info.threads).toBeUndefined();
    expect(lines).toHaveLength(2);
    expect(lines[1]).toBe('--threads 1 has no effect: only engine native has threads, this is wasm');
    expect((await start({ engine: 'wasm' })).lines).toHaveLength(1);
  });

  it.skipIf(!withNative)('sets the threads of native, before what another process handed over', async () => {
    process.env.TOKENFUSE_THREADS = '3';
    try {
      const { info, lines } = await start({ engine: 'native', threads: '1' });
      expect(info).toMatchObject({ name: 'native', threads: 1 });
      expect(lines).toEqual([expect.stringMatching(/^engine native on CPU, 1 thread, /)]);
      expect((await start({ engine: 'native' })).info.threads).toBe(3);
    } finally {
      delete process.env.TOKENFUSE_THREADS;
    }
  });
});
