import { afterEach, describe, expect, it, vi } from 'vitest';
import { describeEngine, ENGINE_NAMES, ENGINES, type EngineName, selectEngine, tf } from '#src/engine';
import { ConfigError, UserError } from '#src/errors';
import { activateBackend } from '../../src/engine/shared/activateBackend.js';

describe('selectEngine', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('takes a named engine and says what it runs on', async () => {
    const info = await selectEngine('wasm');
    expect(info).toMatchObject({
      name: 'wasm',
      why: 'asked for',
      device: expect.stringMatching(/^CPU, 1 thread, SIMD, (fused|plain) kernels/),
    });
    expect(info.version).toMatch(/tfjs-backend-wasm \d+\.\d+\.\d+/);
    expect(tf.getBackend()).toBe('wasm');
    expect(describeEngine(info)).toBe(`engine wasm on ${info.device} (asked for)`);
  });

  it('changes between wasm and cpu in one process, and each computes', async () => {
    for (const engine of ['cpu', 'wasm', 'cpu', 'wasm'] as const) {
      await selectEngine(engine);
      expect(tf.getBackend()).toBe(engine);
      const product = tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3, 4]]), false, true);
      expect(product.dataSync()[0]).toBe(11);
      product.dispose();
    }
  });

  it('refuses an unknown name with the nearest one', async () => {
    const attempt = selectEngine('wasn' as EngineName);
    await expect(attempt).rejects.toThrow(ConfigError);
    await expect(attempt).rejects.toThrow(/got 'wasn' \(did you mean 'wasm'\?\)/);
  });

  it('refuses a named engine that cannot work and says what to do', async () => {
    vi.spyOn(ENGINES.tensorflow, 'probe').mockResolvedValue({
      available: false,
      why: 'tfjs-node-gpu is not installed',
      install: 'run npm install it',
    });
    await expect(selectEngine('tensorflow')).rejects.toThrow(ConfigError);
    await expect(selectEngine('tensorflow')).rejects.toThrow(
      "engine 'tensorflow' does not work here: tfjs-node-gpu is not installed; run npm install it",
    );
  });

  it("takes under 'auto' the first engine that works and names those passed over", async () => {
    for (const name of ['cuda', 'tensorflow', 'webgpu', 'native'] as const) {
      vi.spyOn(ENGINES[name], 'probe').mockResolvedValue({ available: false, why: `no ${name}`, install: '' });
    }
    expect(await selectEngine('auto')).toMatchObject({
      name: 'wasm',
      why: 'no cuda, tensorflow, webgpu, native',
    });
  });

  it("goes on under 'auto' when an engine promises to work and then fails to start", async () => {
    for (const name of ['cuda', 'tensorflow', 'webgpu', 'native'] as const) {
      vi.spyOn(ENGINES[name], 'probe').mockResolvedValue({ available: true, device: 'imaginary' });
      vi.spyOn(ENGINES[name], 'activate').mockRejectedValue(new Error(`${name} broke\nat line 2`));
    }
    expect((await selectEngine('auto')).why).toBe('no cuda, tensorflow, webgpu, native');
    await expect(selectEngine('native')).rejects.toThrow(/does not work here: native broke;/);
  });

  it.each([
    ['TOKENFUSE_THREADS', 'abc', 'expected a whole number from 1 to 1024'],
    ['TOKENFUSE_THREADS', '0', 'expected a whole number from 1 to 1024'],
    ['TOKENFUSE_THREADS', '-1', 'expected a whole number from 1 to 1024'],
    ['TOKENFUSE_THREADS', '1e9', 'expected a whole number from 1 to 1024'],
    ['TOKENFUSE_THREADS', '0x2', 'expected a whole number from 1 to 1024'],
    ['TOKENFUSE_EMULATE_BF16', 'yes', 'expected 1 or 0'],
  ])('says what is wrong with %s=%s, and takes no other engine for it', async (name, value, expected) => {
    for (const other of ['cuda', 'tensorflow', 'webgpu'] as const) {
      vi.spyOn(ENGINES[other], 'probe').mockResolvedValue({ available: false, why: 'not here', install: '' });
    }
    vi.stubEnv(name, value);
    if (!(await ENGINES.native.probe()).available) return;
    for (const request of ['auto', 'native'] as const) {
      await expect(selectEngine(request, { matmulPrecision: 'bf16' })).rejects.toThrow(
        new ConfigError(`${name}: ${expected}, got '${value}'`),
      );
    }
    vi.unstubAllEnvs();
  });

  it('leaves no process-wide error handlers behind', async () => {
    const before = process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection');
    await selectEngine('wasm');
    expect(process.listeners('uncaughtException').some((listener) => /ExitStatus/.test(String(listener)))).toBe(false);
    expect(process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection')).toBe(before);
  });

  it('prints nothing, not even on the first operation', async () => {
    const spies = (['log', 'warn', 'info', 'error'] as const).map((method) => vi.spyOn(console, method));
    for (const engine of ['cpu', 'wasm'] as const) {
      await selectEngine(engine);
      tf.dispose(tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])));
    }
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  });
});

it('every engine knows its name', () => {
  expect(ENGINE_NAMES.map((name) => ENGINES[name].name)).toEqual([...ENGINE_NAMES]);
});

it('the native engine works on every core, or says why it cannot', async () => {
  const probe = await ENGINES.native.probe();
  if (!probe.available) {
    expect(probe.why).toMatch(/^(not built|does not load)/);
    await expect(ENGINES.native.activate()).rejects.toThrow(probe.why);
    return;
  }
  expect(await selectEngine('native')).toMatchObject({ device: expect.stringMatching(/^CPU, \d+ threads?, /) });
  expect(tf.getBackend()).toBe('native');
});

it('a backend that does not start is an error, not a silent change to another one', async () => {
  await selectEngine('cpu');
  tf.registerBackend('failing', () => Promise.reject(new Error('no device')));
  await expect(activateBackend('failing')).rejects.toThrow("TensorFlow.js backend 'failing': expected it to start");
  tf.removeBackend('failing');
  await selectEngine('cpu');
});

it('a tensor beyond the 4 GiB of wasm is an error and leaves the others whole', async () => {
  await selectEngine('wasm');
  const kept = tf.tensor1d([1, 2, 3]);
  // 4.8 GB: its size in bytes does not fit in 32 bits.
  expect(() => tf.tile(tf.ones([1, 1000]), [1.2e6, 1])).toThrow(UserError);
  // 3 GB each: one may fit, two cannot.
  const allocate = (): void => {
    for (let i = 0; i < 2; i++) (tf.backend() as unknown as { wasm: { _malloc(n: number): number } }).wasm._malloc(3e9);
  };
  expect(allocate).toThrow(/expected to fit in 4 GiB, got a tensor of 2861\.0 MiB more/);
  expect([...kept.dataSync()]).toEqual([1, 2, 3]);
  kept.dispose();
});
