/**
 * @file The project's own training step, decoder and kernels on the cases of cases.json, as peer.py has them: one JSON line for each
 * (case, setting) on stdout.
 *
 *     node dist/bench/gpu/ours.js --engine cuda --models A,B,C,V,J --settings fp32,tf32,bf16 --extras all
 */
import { parseArgs } from 'node:util';
import { Decoding, decode, languageDecodeForward } from '#language';
import { atMatmulPrecision, type EngineName, type MatmulPrecision, readScalar, selectEngine, tf } from '#src/engine';
import { pattention, tokenAttention } from '#src/kernels';
import { AdamW, RecordedGradients, trainStep } from '#src/training';
import { normalTensor } from '../normalTensor.js';
import { median } from '../statistics.js';
import { cudaAddon, deviceMemory, prepareCardProfile } from './cardProfile.js';
import { openCase, SPEC } from './cases.js';

const { values: options } = parseArgs({
  options: {
    engine: { type: 'string', default: 'cuda' },
    models: { type: 'string', default: 'C,A,B,V,J' },
    settings: { type: 'string', default: 'fp32,tf32,bf16' },
    extras: { type: 'string', default: '' },
    'decode-settings': { type: 'string', default: 'bf16,fp32' },
    'decode-model': { type: 'string', default: 'B' },
    'decode-tokens': { type: 'string', default: '128' },
    seconds: { type: 'string', default: '1.5' },
    budget: { type: 'string', default: '1e9' },
    profile: { type: 'boolean', default: false },
    tiny: { type: 'boolean', default: false },
  },
});

const started = performance.now();
const seconds = Number(options.seconds);
const split = (text: string): string[] => text.split(',').filter((part) => part !== '' && part !== '-');
const extras = new Set(split(options.extras));
const wants = (extra: string): boolean => extras.has(extra) || extras.has('all');
const models = options.tiny ? ['tiny', 'tinyV', 'tinyJ'] : split(options.models);
const decodeModel = options.tiny ? 'tiny' : options['decode-model'];
const decodeTokens = options.tiny ? 8 : Number(options['decode-tokens']);

const PRECISIONS: Readonly<Record<string, string>> = { fp32: 'highest', tf32: 'tf32', bf16: 'bf16' };

function precisionOf(setting: string): MatmulPrecision {
  const precision = PRECISIONS[setting];
  if (precision === undefined)
    throw new Error(`settings: expected ${Object.keys(PRECISIONS).join(', ')}, got '${setting}'`);
  return precision as MatmulPrecision;
}

/** Steps whose losses are compared. */
const COMPARED_STEPS = 10;
/** Repetitions between two looks at the clock. */
const BLOCK = 5;
const FEWEST_BLOCKS = 3;

function report(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ side: options.engine, ...line })}\n`);
}

/** Waits for the card. */
async function settle(): Promise<void> {
  const addon = options.engine === 'cuda' ? cudaAddon() : undefined;
  if (addon) addon.synchronize();
  else await readScalar(tf.tidy(() => tf.add(tf.scalar(1), 1)));
}

/** Median milliseconds over blocks of repetitions. */
async function timed(run: () => unknown, limit = seconds): Promise<Record<string, number>> {
  await settle();
  const times: number[] = [];
  const begun = performance.now();
  while (times.length < FEWEST_BLOCKS || performance.now() - begun < limit * 1000) {
    const before = performance.now();
    for (let i = 0; i < BLOCK; i++) await run();
    await settle();
    times.push((performance.now() - before) / BLOCK);
  }
  return {
    ms: median(times),
    fastest: Math.min(...times),
    slowest: Math.max(...times),
    repetitions: times.length * BLOCK,
  };
}

function memoryFields(): Record<string, number> {
  const memory = deviceMemory();
  return memory ? { peakBytes: memory.peak, reservedBytes: memory.reserved } : {};
}

function resetPeak(): void {
  if (deviceMemory()) cudaAddon()?.resetPeak();
}

async function benchStep(name: string, setting: string): Promise<void> {
  const opening = performance.now();
  const { task, tree, training } = openCase(name, precisionOf(setting));
  const openS = (performance.now() - opening) / 1000;
  const optimizer = new AdamW(tree, training);
  let step = 0;
  const recordings = new RecordedGradients();
  const run = async (): Promise<number> =>
    (await trainStep(task, training, optimizer, { step: ++step, recordings })).loss;
  try {
    const losses: number[] = [];
    const first = performance.now();
    losses.push(await run());
    const firstS = (performance.now() - first) / 1000;
    while (losses.length < COMPARED_STEPS) losses.push(await run());
    for (let i = 0; i < 3; i++) await run();
    await settle();
    resetPeak();
    const times = await timed(run);
    report({
      case: name,
      setting,
      ...times,
      ...memoryFields(),
      losses,
      firstS,
      openS,
      tensors: tf.memory().numTensors,
    });
    if (profile !== undefined) {
      const repetitions = 3;
      profile.start();
      // Kernel by kernel.
      for (let i = 0; i < repetitions; i++) await trainStep(task, training, optimizer, { step: ++step });
      const kernels = profile.stop(repetitions);
      const total = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
      report({ case: `profile-${name}`, setting, ms: total, kernels: kernels.slice(0, 60) });
    }
  } finally {
    recordings.dispose();
    optimizer.dispose();
    tree.dispose();
  }
}

/** Greedy decoding after a prompt; milliseconds for each further token of the whole batch. */
async function benchDecode(name: string, batch: number, setting: string): Promise<void> {
  const precision = precisionOf(setting);
  const { tree, language, task } = openCase(name, precision);
  if (language === undefined) throw new Error(`decode: expected a language model, got ${name}`);
  try {
    const forward = languageDecodeForward(tree, language);
    const prompt = Array.from(
      { length: Math.min(32, language.seqLen / 2) },
      (_, i) => (i * 37 + 11) % language.vocabSize,
    );
    const rowNames = Array.from({ length: batch }, (_, i) => i);
    const request = { rowNames, prompt, stopIds: [language.vocabSize] };
    const generate = async (maxTokens: number): Promise<number> => {
      const before = performance.now();
      await decode(forward, request, Decoding.parse({ method: 'greedy', maxTokens }));
      return performance.now() - before;
    };
    await generate(4);
    await generate(decodeTokens);
    resetPeak();
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      const short = await generate(1);
      times.push(((await generate(decodeTokens)) - short) / (decodeTokens - 1));
    }
    const weightBytes = task.parameters.names().reduce((sum, path) => sum + 4 * tree.variable(path).size, 0);
    report({ case: `decode-${name}-${batch}`, setting, ms: median(times), weightBytes, ...memoryFields() });
  } finally {
    tree.dispose();
  }
}

async function benchGradient(
  name: string,
  setting: string,
  inputs: tf.Tensor[],
  f: (...args: tf.Tensor[]) => tf.Tensor,
): Promise<void> {
  const dOutput = normalTensor(inputs[0].shape);
  const withGradients = tf.valueAndGrads(f);
  const run = (): void => {
    atMatmulPrecision(precisionOf(setting), () => {
      const { value, grads } = withGradients(inputs, dOutput);
      tf.dispose([value, ...grads]);
    });
  };
  try {
    for (let i = 0; i < 3; i++) run();
    report({ case: name, setting, ...(await timed(run, Math.min(seconds, 1))) });
  } finally {
    tf.dispose([...inputs, dOutput]);
  }
}

function benchPattention(tokens: number, width: number, n: number, setting: string): Promise<void> {
  const settings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 0, tau: Math.sqrt(n) } as const;
  const inputs = [normalTensor([tokens, width]), normalTensor([n, width]), normalTensor([n, width])];
  return benchGradient(`pattention-${tokens}-${width}-${n}`, setting, inputs, (...args) => {
    const [x, keys, values] = args as tf.Tensor2D[];
    return pattention(x, keys, values, settings);
  });
}

function benchAttention(
  batch: number,
  numHeads: number,
  length: number,
  headDim: number,
  setting: string,
): Promise<void> {
  const inputs = [0, 1, 2].map(() => normalTensor([batch, length, numHeads * headDim]));
  return benchGradient(`attention-causal-${batch}-${numHeads}-${length}-${headDim}`, setting, inputs, (...args) => {
    const [q, k, v] = args as tf.Tensor3D[];
    return tokenAttention(q, k, v, { numHeads, prefixLen: 0, contextLen: 0 });
  });
}

async function benchPeak(setting: string): Promise<void> {
  const size = options.tiny ? 256 : 8192;
  const [a, b] = [0, 1].map(() => tf.randomUniform([size, size], -1, 1, 'float32', 7) as tf.Tensor2D);
  const run = (): void => atMatmulPrecision(precisionOf(setting), () => tf.matMul(a, b).dispose());
  for (let i = 0; i < 3; i++) run();
  const times = await timed(run, 0.5);
  report({ case: 'peak', setting, ...times, teraflops: (2 * size ** 3) / times.fastest / 1e9 });
  tf.dispose([a, b]);
}

async function guarded(name: string, setting: string, work: () => Promise<void>): Promise<void> {
  const budget = Number(options.budget);
  if (performance.now() - started > budget * 1000) {
    report({ case: name, setting, error: `not run: the budget of ${budget} s is spent` });
    return;
  }
  try {
    await work();
  } catch (error) {
    const { name: kind, message, stack } = error as Error;
    report({ case: name, setting, error: `${kind}: ${message}`.slice(0, 400), stack: stack?.split('\n').slice(1, 6) });
  }
}

const profile = options.profile ? prepareCardProfile() : undefined;
const info = await selectEngine(options.engine as EngineName, { allowSoftwareAdapter: true });
report({ hello: true, device: info.device, version: info.version, node: process.version });

for (const setting of wants('peak') ? ['bf16', 'tf32', 'fp32'] : []) {
  await guarded('peak', setting, () => benchPeak(setting));
}
for (const setting of wants('attention') ? ['bf16', 'tf32', 'fp32'] : []) {
  const shape = (options.tiny ? [2, 2, 64, 16] : [8, 12, 1024, 64]) as [number, number, number, number];
  await guarded('attention', setting, () => benchAttention(...shape, setting));
}
for (const n of wants('pattention') ? [768, 3072] : []) {
  for (const setting of ['bf16', 'tf32', 'fp32']) {
    const [tokens, width, tokensOf] = options.tiny ? [64, 32, n / 16] : [8192, 768, n];
    await guarded(`pattention-${n}`, setting, () => benchPattention(tokens, width, tokensOf, setting));
  }
}
for (const name of models) {
  if (!(name in SPEC.models)) report({ case: name, error: `expected a name of cases.json, got '${name}'` });
  else for (const setting of split(options.settings)) await guarded(name, setting, () => benchStep(name, setting));
}
for (const batch of wants('decode') ? [1, 64] : []) {
  for (const setting of split(options['decode-settings'])) {
    await guarded(`decode-${decodeModel}-${batch}`, setting, () => benchDecode(decodeModel, batch, setting));
  }
}
report({ done: true, seconds: (performance.now() - started) / 1000 });
