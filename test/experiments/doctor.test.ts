import { afterEach, expect, it, vi } from 'vitest';
import type { Arguments } from '#src/cli';
import { ENGINE_NAMES, ENGINES, FUSED_KERNEL_NAMES, measureMatmul, selectEngine, tf } from '#src/engine';
import { doctorCommand } from '../../experiments/commands/doctor.js';

afterEach(() => {
  vi.restoreAllMocks();
});

async function runDoctor(
  ...flags: string[]
): Promise<{ lines: string[]; result: Awaited<ReturnType<typeof doctorCommand.run>> }> {
  const lines: string[] = [];
  const args: Arguments = {
    positionals: [],
    text: () => undefined,
    texts: () => [],
    commandLine: 'tokenfuse',
    flag: (name) => flags.includes(name),
  };
  const result = await doctorCommand.run(args, { line: (text = '') => void lines.push(text), interactive: false });
  return { lines, result };
}

it('shows every engine, measured or with the reason why not, within 80 columns', async () => {
  vi.spyOn(ENGINES.cuda, 'probe').mockResolvedValue({ available: false, why: 'no card', install: 'install one' });
  vi.spyOn(ENGINES.tensorflow, 'probe').mockResolvedValue({
    available: false,
    why: 'libtensorflow finds no CUDA device (its CPU: --allow-software-adapter)',
    install: 'install CUDA',
  });
  vi.spyOn(ENGINES.webgpu, 'probe').mockResolvedValue({ available: true, device: 'a GPU' });
  vi.spyOn(ENGINES.webgpu, 'activate').mockRejectedValue(new Error('the driver gave up'));
  vi.spyOn(ENGINES.native, 'probe').mockResolvedValue({ available: false, why: 'not built', install: 'build it' });
  const { lines, result } = await runDoctor();
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  const engines = result.engines as Record<string, unknown>[];
  expect(engines.map(({ engine }) => engine)).toEqual([...ENGINE_NAMES]);
  expect(engines[2]).toMatchObject({ available: false, why: 'fails: the driver gave up' });
  for (const index of [4, 5]) expect(engines[index]).toMatchObject({ available: true });
  expect(engines.every(({ kernels }) => kernels === undefined)).toBe(true);
  expect(engines[4].matmulGflops).toBeGreaterThan(engines[5].matmulGflops as number);
  expect(lines.find((line) => line.startsWith('wasm'))).toMatch(/^wasm +yes +CPU, 1 thread, SIMD, .* +[\d.]+$/);
  expect(lines.find((line) => line.startsWith('native'))).toMatch(/^native +no +not built/);
  expect(lines.at(-1)).toBe('auto selects wasm');
  expect(result).toMatchObject({ node: process.versions.node });
  expect(result.cores).toBeGreaterThan(0);
  expect(result.memoryBytes).toBeGreaterThan(2 ** 28);
});

it('says why an engine does not work in full, whatever the table has room for', async () => {
  const why = `does not load: Error: ${'lib.so: '.repeat(20)}cannot open shared object file`;
  for (const name of ENGINE_NAMES) {
    vi.spyOn(ENGINES[name], 'probe').mockResolvedValue({ available: false, why, install: 'install the library' });
  }
  const { lines } = await runDoctor();
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  const printed = lines.join('\n').replaceAll('\n  ', ' ');
  for (const name of ENGINE_NAMES) expect(printed).toContain(`${name}: ${why}; install the library`);
});

it('lists the kernels of every engine within 80 columns under --kernels', async () => {
  for (const name of ['cuda', 'tensorflow', 'webgpu'] as const) {
    vi.spyOn(ENGINES[name], 'probe').mockResolvedValue({ available: false, why: 'not here', install: 'buy one' });
  }
  const { lines, result } = await runDoctor('kernels');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  const engines = result.engines as { engine: string; available: boolean; kernels: Record<string, string[]> }[];
  const kernelsOf = (name: string) => engines.find(({ engine }) => engine === name)!.kernels;
  expect(kernelsOf('cpu')).toEqual({ fused: [], normActivations: [] });
  expect(kernelsOf('wasm').fused).toEqual(expect.arrayContaining(['Pattention', 'TokenAttentionGrad']));
  expect(lines.find((line) => line.startsWith('Pattention '))).toMatch(/ kernel +reference$/);
  expect(lines).toContain('wasm: kernels for normActivation l2NormGelu, geluL2Norm, softmax');
  expect(lines).toContain('cpu: kernels for normActivation none, Pattention runs by reference');
  if (engines[2].available) {
    const { fused, compiled, javaScript } = kernelsOf('native');
    expect(compiled).toEqual(expect.arrayContaining([...fused, 'BatchMatMul']));
    expect(javaScript).toContain('Conv2D');
    expect(lines).toContain(`native, ${javaScript.length} kernels in plain JavaScript:`);
    expect(lines.find((line) => line.includes('kept for reuse'))).toMatch(
      /^native: memory \d+ MiB in use, .* at most\)$/,
    );
  }
});

it('every kernel that an engine has beyond those of TensorFlow.js is a fused operation', async () => {
  const names = (backend: string) => tf.getKernelsForBackend(backend).map(({ kernelName }) => kernelName);
  await selectEngine('wasm');
  if ((await ENGINES.native.probe()).available) await selectEngine('native');
  // Of TensorFlow.js, and on wasm only.
  const stock = new Set([...names('cpu'), 'LogicalXor']);
  const own = new Set([...names('wasm'), ...names('native')].filter((name) => !stock.has(name)));
  expect([...own].filter((name) => !FUSED_KERNEL_NAMES.some((known) => known === name))).toEqual([]);
  expect(FUSED_KERNEL_NAMES.filter((name) => stock.has(name))).toEqual([]);
});

it('measures without leaving tensors behind', async () => {
  await selectEngine('wasm');
  const before = tf.memory().numTensors;
  expect(await measureMatmul()).toBeGreaterThan(0.1);
  expect(tf.memory().numTensors).toBe(before);
});
