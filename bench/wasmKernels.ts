/**
 * @file Times the wasm engine's own kernels against the plain path (stock kernels, transposes made good), each the
 * median over rounds of processes run in turn: `node dist/bench/wasmKernels.js [rounds]`, after `npm run build`.
 *
 * Sizes of a small model: 1024 tokens, dModel 96, 96 or 384 parameter tokens; attention [64, 24, 96], 4 heads.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { selectEngine, tf } from '#src/engine';
import {
  adamWStep,
  layerNormalize,
  type PattentionSettings,
  pattention,
  rotaryPositions,
  softmaxCrossEntropy,
  tokenAttention,
} from '#src/kernels';
import { normalTensor as normal } from './normalTensor.js';
import { median } from './statistics.js';

const TOKENS = 1024;
const WIDTH = 96;
/** A case is repeated for at least so long, in milliseconds of processor time, after a tenth of it to warm up. */
const CASE_MS = 400;

type Cases = Record<string, () => unknown>;

if (process.argv[2] === 'child') {
  // Hides the backend's memory from the engine, which then goes without its own kernels.
  if (process.argv[3] === 'plain') Object.assign(Reflect.get(globalThis, 'WebAssembly'), { Memory: class {} });
  const { device } = await selectEngine('wasm');
  const medians = Object.entries(cases()).map(([name, run]) => [name, medianTime(run)]);
  process.stdout.write(JSON.stringify({ device, medians }));
} else {
  compare(Number(process.argv[2] ?? 3));
}

function compare(rounds: number): void {
  const results: Record<'own' | 'plain', { device: string; medians: [string, number][] }[]> = { own: [], plain: [] };
  for (let round = 0; round < rounds; round++) {
    for (const kind of ['own', 'plain'] as const) {
      const argv = [...process.execArgv, fileURLToPath(import.meta.url), 'child', kind];
      const { stdout, stderr, status } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
      if (status !== 0) throw new Error(`bench: expected the ${kind} run to end well, got ${stderr}`);
      results[kind].push(JSON.parse(stdout));
    }
  }
  console.log(`own:   ${results.own[0].device}\nplain: ${results.plain[0].device}\n`);
  console.log(`${'milliseconds'.padEnd(40)}${'own'.padStart(9)}${'plain'.padStart(9)}${'ratio'.padStart(8)}`);
  for (const [i, [name]] of results.own[0].medians.entries()) {
    const [own, plain] = [results.own, results.plain].map((runs) => median(runs.map(({ medians }) => medians[i][1])));
    const columns = [own.toFixed(3).padStart(9), plain.toFixed(3).padStart(9), (plain / own).toFixed(1).padStart(8)];
    console.log(`${name.padEnd(40)}${columns.join('')}`);
  }
}

function cases(): Cases {
  const x = normal([TOKENS, WIDTH]) as tf.Tensor2D;
  const wide = normal([TOKENS, 4 * WIDTH]) as tf.Tensor2D;
  const row = normal([1, WIDTH]);
  const square = normal([1024, 1024]);
  const logits = normal([TOKENS, 2048]) as tf.Tensor2D;
  const labels = tf.range(0, TOKENS, 1, 'int32') as tf.Tensor1D;
  const weights = tf.ones([TOKENS]) as tf.Tensor1D;
  const parameter = normal([4 * WIDTH, WIDTH]);
  const adamW = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };
  const rotary = { numHeads: 4, rotaryDims: 6, startPosition: 0, base: 10000 };
  return {
    'matMul 1024·1024·1024': () => tf.matMul(square, square),
    'matMul 1024·1024·1024, B transposed': () => tf.matMul(square, square, false, true),
    'matMul 1024·1024·1024, A transposed': () => tf.matMul(square, square, true, false),
    'matMul 1024·384·96': () => tf.matMul(wide, parameter),
    'matMul 1024·96·384, B transposed': () => tf.matMul(x, parameter, false, true),
    'matMul 384·1024·96, A transposed': () => tf.matMul(wide, x, true, false),
    'matMul 1·96·384, B transposed': () => tf.matMul(row, parameter, false, true),
    'matMul [256] 24·24·24': batched(),
    'transpose 1024·384': () => tf.transpose(wide),
    ...pattentionCases(x, 96),
    ...pattentionCases(x, 384),
    ...attentionCases('64·24, 4 heads, causal', 64, 24),
    ...attentionCases('1·1024, 4 heads, causal', 1, 1024),
    ...withGradient('layerNormalize 1024·96', (t) => layerNormalize(t as tf.Tensor2D), x),
    ...withGradient(
      'rotaryPositions 64·16·96',
      (t) => rotaryPositions(t as tf.Tensor3D, rotary),
      normal([64, 16, WIDTH]),
    ),
    ...withGradient('crossEntropy 1024·2048', (t) => softmaxCrossEntropy(t as tf.Tensor2D, labels, weights), logits),
    'adamWStep 384·96': () =>
      adamWStep(parameter, parameter, parameter, tf.abs(parameter), { ...adamW, step: 3, gradientScale: 1 }),
    'gather 1024 of 2048·96, gradient': tableGradient(),
    'slice 1024·24 of 1024·96': () => tf.slice(x, [0, 24], [-1, 24]),
    'sum 1024·96 over rows': () => tf.sum(x, 0),
    'exp 1024·384': () => tf.exp(wide),
    'erf 1024·384': () => tf.erf(wide),
  };
}

function batched(): () => unknown {
  const a = normal([256, 24, 24]);
  return () => tf.matMul(a, a, false, true);
}

function pattentionCases(x: tf.Tensor2D, n: number): Cases {
  const [keys, values] = [normal([n, WIDTH]), normal([n, WIDTH])] as tf.Tensor2D[];
  const settings: PattentionSettings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 0, tau: Math.sqrt(n) };
  const apply = (...args: tf.Tensor[]): tf.Tensor => {
    const [a, b, c] = args as tf.Tensor2D[];
    return pattention(a, b, c, settings);
  };
  return withGradient(`pattention ${TOKENS}·${WIDTH}, n ${n}`, apply, x, keys, values);
}

function attentionCases(name: string, batch: number, length: number): Cases {
  const inputs = [0, 1, 2].map(() => normal([batch, length, WIDTH]));
  const apply = (...args: tf.Tensor[]): tf.Tensor => {
    const [q, k, v] = args as tf.Tensor3D[];
    return tokenAttention(q, k, v, { numHeads: 4, prefixLen: 0, contextLen: 0 });
  };
  return withGradient(`attention ${name}`, apply, ...inputs);
}

function tableGradient(): () => unknown {
  const table = normal([2048, WIDTH]);
  const ids = tf.range(0, TOKENS, 1, 'int32');
  const gradient = tf.grad((t) => tf.gather(t, ids));
  return () => gradient(table);
}

/** The operation alone, and with the gradients of all its inputs. */
function withGradient(name: string, apply: (...args: tf.Tensor[]) => tf.Tensor, ...inputs: tf.Tensor[]): Cases {
  const both = tf.valueAndGrads(apply as (...args: tf.Tensor[]) => tf.Tensor);
  const dOutput = tf.onesLike(apply(...inputs));
  return { [name]: () => apply(...inputs), [`${name}, with gradients`]: () => both(inputs, dOutput) };
}

/** In milliseconds of processor time, which other processes on the machine disturb least. */
function medianTime(run: () => unknown): number {
  const once = (): number => {
    const start = process.cpuUsage();
    tf.tidy(() => void run());
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
  for (let spent = 0; spent < CASE_MS / 10; ) spent += once();
  const times: number[] = [];
  for (let spent = 0; spent < CASE_MS; spent += times.at(-1)!) times.push(once());
  return median(times);
}
