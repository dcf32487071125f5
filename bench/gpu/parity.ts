/**
 * @file Every fused kernel, whole models and their gradients on an engine against plain operations on the cpu backend (large shapes:
 * the native engine), in every precision, each computed twice for equal bits; then the fixtures. Needs no test runner.
 *
 *     node dist/bench/gpu/parity.js --engine cuda [--subset] [--only attention] [--precisions highest,bf16]
 *
 * A difference is max |a − b| / max |b| of a result. The exit code is 1 when one is above the tolerance of its precision.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  Decoding,
  decode,
  languageDecodeForward,
  languageModelParity,
  pattentionParity,
  type TensorParity,
} from '#language';
import { atMatmulPrecision, type EngineName, type MatmulPrecision, selectEngine, tf } from '#src/engine';
import {
  type AdamWParameter,
  adamWUpdate,
  layerNormalize,
  linearCrossEntropy,
  pattention,
  pattentionGroups,
  rotaryPositions,
  softmaxCrossEntropy,
  squaredNorm,
  tokenAttention,
} from '#src/kernels';
import { AdamW, trainStep } from '#src/training';
import { benchPath } from '../benchFolder.js';
import { openCase } from './cases.js';
import { hashedIntegers, hashedUniform } from './hashed.js';

const { values: options } = parseArgs({
  options: {
    engine: { type: 'string', default: 'cuda' },
    precisions: { type: 'string', default: 'highest,tf32,bf16' },
    only: { type: 'string', default: '' },
    subset: { type: 'boolean', default: false },
  },
});

/** Largest differences that pass. Sums of a thousand float32 products differ by some 1e-6, bf16 keeps 8 bits, tf32 11. */
const TOLERANCES: Readonly<Record<string, number>> = { highest: 2e-5, tf32: 5e-3, bf16: 4e-2 };
const FIXTURE_TOLERANCE = 2e-5;

type Results = readonly Float32Array[];

interface ParityCase {
  readonly name: string;
  /** Left out where every kernel takes long: under a sanitizer, and on the cpu backend. */
  readonly large?: boolean;
  /** It has no large products, so that one precision says all. */
  readonly exact?: boolean;
  /** Factor of the tolerance, where many steps add up. */
  readonly slack?: number;
  /** Results smaller than this share of the largest are measured against that: a gradient may be 0 by its mathematics. */
  readonly floor?: number;
  compute(precision: MatmulPrecision): Results | Promise<Results>;
}

const cases: ParityCase[] = [];

function arrays(tensors: readonly tf.Tensor[]): Float32Array[] {
  return tensors.map((tensor) => Float32Array.from(tensor.dataSync()));
}

/** Numbers of an input, the same on every engine. */
function numbers(shape: number[], name: string, std = 1): tf.Tensor {
  return tf.tensor(hashedUniform(1, `${name}/${shape}`, tf.util.sizeFromShape(shape), std), shape);
}

/** A case: the result of an operation and its gradients, under a gradient that is not uniform. */
function addOperation(
  name: string,
  shapes: readonly number[][],
  operation: (...inputs: tf.Tensor[]) => tf.Tensor,
  details: Partial<ParityCase> = {},
): void {
  cases.push({
    name,
    floor: 1e-2,
    ...details,
    compute: (precision) =>
      arraysOf(() => {
        const inputs = shapes.map((shape, i) => numbers(shape, `${name}/${i}`));
        return atMatmulPrecision(precision, () => {
          const shape = tf.tidy(() => operation(...inputs).shape);
          const { value, grads } = tf.valueAndGrads(operation)(inputs, numbers(shape, `${name}/dy`));
          return [value, ...grads];
        });
      }),
  });
}

/** A case without gradients. */
function addPlain(name: string, compute: () => tf.Tensor[], details: Partial<ParityCase> = {}): void {
  cases.push({
    name,
    ...details,
    compute: (precision) => arraysOf(() => atMatmulPrecision(precision, compute)),
  });
}

function arraysOf(compute: () => readonly tf.Tensor[]): Float32Array[] {
  let kept: Float32Array[] = [];
  tf.tidy(() => {
    kept = arrays(compute());
  });
  return kept;
}

const EXACT = { exact: true } as const;
const LARGE = { large: true } as const;

for (const shape of [
  [1, 5],
  [3, 5],
  [37, 96],
  [130, 770],
  [9, 2050],
  [513, 768],
]) {
  addOperation(`layerNormalize ${shape}`, [shape], (x) => layerNormalize(x as tf.Tensor2D), EXACT);
}

const modes = [
  ['l2NormGelu', 'erf', 0],
  ['l2NormGelu', 'tanh', 1e-2],
  ['geluL2Norm', 'erf', 1e-2],
  ['softmax', 'erf', 0],
] as const;
for (const [tokens, dIn, n, dOut] of [
  [5, 4, 6, 3],
  [37, 96, 288, 96],
  [1, 64, 64, 64],
  [129, 130, 70, 66],
]) {
  for (const [normActivation, gelu, epsilon] of modes) {
    const settings = { normActivation, gelu, epsilon, tau: normActivation === 'softmax' ? n : Math.sqrt(n) };
    addOperation(
      `pattention ${normActivation} ${gelu} ${[tokens, dIn, n, dOut]}`,
      [
        [tokens, dIn],
        [n, dIn],
        [n, dOut],
      ],
      (...args) => {
        const [x, k, v] = args as tf.Tensor2D[];
        // Scores of order 1, or softmax is a choice of one.
        return pattention(tf.mul(x, 1 / Math.sqrt(dIn)), k, v, settings);
      },
    );
  }
}
for (const n of [768, 3072]) {
  const settings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 0, tau: Math.sqrt(n) } as const;
  addOperation(
    `pattention 1000,768,${n}`,
    [
      [1000, 768],
      [n, 768],
      [n, 768],
    ],
    (...args) => {
      const [x, k, v] = args as tf.Tensor2D[];
      return pattention(x, k, v, settings);
    },
    LARGE,
  );
}
for (const [first, second] of [
  [64, 8],
  [70, 33],
]) {
  for (const inputNeedsGradient of [true, false]) {
    const name = `pattentionGroups ${first}+${second}${inputNeedsGradient ? '' : ' constant input'}`;
    addOperation(
      name,
      [
        [41, 48],
        [first, 48],
        [first, 48],
        [second, 48],
        [second, 48],
      ],
      (...args) => {
        const [x, k, v, k2, v2] = args as tf.Tensor2D[];
        const groups = [
          { keyParamTokens: k, valueParamTokens: v, tau: Math.sqrt(first), trainable: true },
          { keyParamTokens: k2, valueParamTokens: v2, tau: Math.sqrt(second), trainable: true },
        ];
        const settings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 1e-5 } as const;
        const y = pattentionGroups(inputNeedsGradient ? x : tf.mul(x, 1), groups, settings, inputNeedsGradient);
        // Every input of a gradient must be used.
        return inputNeedsGradient ? y : tf.add(y, tf.mul(x, 0.5));
      },
    );
  }
}

for (const [shape, numHeads, rotaryDims, startPosition] of [
  [[2, 7, 96], 4, 6, 0],
  [[3, 33, 128], 2, 16, 3],
  [[1, 1, 64], 1, 64, 100],
] as const) {
  const settings = { numHeads, rotaryDims, startPosition, base: 10_000 };
  addOperation(`rotaryPositions ${shape}`, [[...shape]], (x) => rotaryPositions(x as tf.Tensor3D, settings), EXACT);
}

const attentions: [
  batch: number,
  heads: number,
  queries: number,
  keys: number,
  headDim: number,
  prefix: number,
  context: number,
][] = [
  [1, 1, 1, 1, 8, 0, 0],
  [2, 4, 48, 48, 24, 0, 0],
  [2, 2, 7, 7, 32, 7, 0],
  [1, 3, 65, 65, 64, 0, 0],
  [2, 2, 33, 33, 80, 12, 0],
  [1, 2, 129, 129, 96, 0, 0],
  [1, 1, 70, 70, 128, 70, 0],
  [2, 2, 12, 28, 32, 16, 16],
  [1, 4, 5, 30, 64, 0, 0],
];
for (const [batch, heads, queries, keys, headDim, prefixLen, contextLen] of attentions) {
  const d = heads * headDim;
  const settings = { numHeads: heads, prefixLen, contextLen };
  const name = `attention ${batch}×${heads} ${queries}:${keys} ${headDim} prefix ${prefixLen} context ${contextLen}`;
  const shapes = [
    [batch, queries, d],
    [batch, keys, d],
    [batch, keys, d],
  ];
  // With a single key, gradients of queries and keys are 0.
  const details = keys === 1 ? { floor: 1 } : {};
  const plain = (...args: tf.Tensor[]): tf.Tensor => {
    const [q, k, v] = args as tf.Tensor3D[];
    return tokenAttention(q, k, v, settings);
  };
  const padded = (...args: tf.Tensor[]): tf.Tensor => {
    const [q, k, v] = args as tf.Tensor3D[];
    const seen = Float32Array.from({ length: batch * keys }, (_, i) => (i % keys > 0 && i % 5 === 4 ? 0 : 1));
    return tokenAttention(q, k, v, settings, tf.tensor2d(seen, [batch, keys]));
  };
  addOperation(name, shapes, plain, details);
  if (contextLen === 0) addOperation(`${name} padding`, shapes, padded, details);
}
for (const [batch, heads, length, headDim, prefixLen] of [
  [2, 12, 1000, 64, 0],
  [4, 12, 196, 64, 196],
]) {
  const shape = [batch, length, heads * headDim];
  addOperation(
    `attention ${batch}×${heads} ${length} ${headDim} prefix ${prefixLen}`,
    [shape, shape, shape],
    (...args) => {
      const [q, k, v] = args as tf.Tensor3D[];
      return tokenAttention(q, k, v, { numHeads: heads, prefixLen, contextLen: 0 });
    },
    LARGE,
  );
}

for (const [rows, classes] of [
  [33, 384],
  [5, 1000],
  [2, 50_257],
]) {
  addOperation(
    `softmaxCrossEntropy ${rows},${classes}`,
    [[rows, classes]],
    (logits) => {
      const labels = tf.tensor1d(hashedIntegers(1, 'labels', rows, classes), 'int32');
      const weights = tf.tensor1d(Float32Array.from({ length: rows }, (_, i) => (i % 4 === 3 ? 0 : 1 + i / rows)));
      return softmaxCrossEntropy(logits as tf.Tensor2D, labels, weights);
    },
    EXACT,
  );
}
for (const [rows, d, classes, large] of [
  [33, 96, 384, 0],
  [7, 64, 1001, 0],
  [1, 64, 130, 0],
  [300, 256, 50_257, 1],
]) {
  addOperation(
    `linearCrossEntropy ${rows},${d},${classes}`,
    [
      [rows, d],
      [classes, d],
    ],
    (...args) => {
      const [states, embedding] = args as tf.Tensor2D[];
      const labels = tf.tensor1d(hashedIntegers(1, 'labels', rows, classes), 'int32');
      const weights = tf.tensor1d(Float32Array.from({ length: rows }, (_, i) => (i % 4 === 3 ? 0 : 1)));
      return linearCrossEntropy(tf.mul(states, 0.2), embedding, labels, weights);
    },
    { large: large === 1 },
  );
}

addPlain(
  'squaredNorm',
  () => [squaredNorm([[3, 5], [1], [1000, 33], [70]].map((shape) => numbers(shape, 'norm')))],
  EXACT,
);
cases.push({ name: 'adamWUpdate', exact: true, compute: adamWSteps });

/** Three steps of AdamW on parameters of odd sizes. */
function adamWSteps(): Results {
  const shapes = [[1], [3, 5], [1000, 33], [257]];
  const names = ['param', 'm', 'v'] as const;
  const variables = shapes.map((shape, i) =>
    Object.fromEntries(names.map((name) => [name, tf.variable(tf.abs(numbers(shape, `adamW/${name}/${i}`, 0.1)))])),
  ) as Pick<AdamWParameter, 'param' | 'm' | 'v'>[];
  const settings = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, gradientScale: 0.7 };
  for (let step = 1; step <= 3; step++) {
    tf.tidy(() => {
      const parameters = variables.map((variable, i) => ({
        ...variable,
        gradient: numbers(shapes[i], `adamW/gradient/${step}/${i}`),
        weightDecay: i % 2 === 0 ? 0.1 : 0,
      }));
      adamWUpdate(parameters, { ...settings, step });
    });
  }
  const results = arrays(variables.flatMap(({ param, m, v }) => [param, m, v]));
  tf.dispose(variables.map((variable) => ({ ...variable })));
  return results;
}

for (const [m, n, k] of [
  [1, 1, 1],
  [5, 7, 3],
  [130, 66, 97],
  [64, 48, 128],
]) {
  for (const [ta, tb] of [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ]) {
    addOperation(
      `matMul ${[m, n, k]}${ta ? ' T' : ' N'}${tb ? 'T' : 'N'}`,
      [ta ? [k, m] : [m, k], tb ? [n, k] : [k, n]],
      (a, b) => tf.matMul(a, b, ta, tb),
    );
  }
}
addOperation(
  'matMul batch',
  [
    [3, 17, 33],
    [3, 33, 9],
  ],
  (a, b) => tf.matMul(a, b),
);
addOperation(
  'matMul 1000',
  [
    [1000, 700],
    [700, 900],
  ],
  (a, b) => tf.matMul(a, b),
  LARGE,
);

const x34 = (): tf.Tensor => numbers([3, 4, 5], 'x');
const y34 = (): tf.Tensor => numbers([3, 1, 5], 'y');
addPlain(
  'arithmetic',
  () => {
    const [x, y] = [x34(), y34()];
    return [
      tf.add(x, y),
      tf.sub(x, y),
      tf.mul(x, y),
      tf.div(x, y),
      tf.maximum(x, y),
      tf.minimum(x, 0.1),
      tf.pow(tf.abs(x), 1.5),
    ];
  },
  EXACT,
);
addPlain(
  'functions',
  () => {
    const x = x34();
    const positive = tf.add(tf.abs(x), 0.1);
    return [
      tf.exp(x),
      tf.tanh(x),
      tf.erf(x),
      tf.log(positive),
      tf.sqrt(positive),
      tf.rsqrt(positive),
      tf.square(x),
      tf.neg(x),
      tf.sigmoid(x),
      tf.relu(x),
      tf.softmax(x),
      tf.logSoftmax(x),
    ];
  },
  EXACT,
);
addPlain(
  'reductions',
  () => {
    const x = numbers([6, 7, 130], 'reductions');
    return [
      tf.sum(x),
      tf.sum(x, 0),
      tf.sum(x, 1),
      tf.sum(x, -1),
      tf.mean(x, [0, 2]),
      tf.max(x, 1),
      tf.min(x),
      tf.argMax(x, -1),
      tf.argMax(x, 0),
    ];
  },
  EXACT,
);
addPlain(
  'movement',
  () => {
    const x = x34();
    const rows = tf.tensor1d([2, 0, 2], 'int32');
    return [
      tf.transpose(x, [2, 0, 1]),
      tf.transpose(x, [0, 2, 1]),
      tf.slice(x, [1, 0, 2], [2, 3, 3]),
      tf.concat([x, x], 1),
      tf.stack([x, x], 2),
      ...tf.unstack(x, 1),
      ...tf.split(x, [1, 3], 1),
      tf.gather(x, rows),
      tf.gather(x, rows, 1),
      tf.pad(x, [
        [0, 0],
        [1, 2],
        [0, 1],
      ]),
      tf.tile(x, [1, 2, 1]),
      tf.reverse(x, 1),
      tf.where(tf.greater(x, 0), x, tf.zerosLike(x)),
      tf.cast(tf.lessEqual(x, 0.2), 'float32'),
      tf.cast(tf.cast(x, 'int32'), 'float32'),
      tf.oneHot(rows, 4),
      tf.fill([3, 2], 2.5),
      tf.range(0, 7, 1),
    ];
  },
  EXACT,
);
addOperation(
  'embedding gradient',
  [[11, 64]],
  (table) => {
    const ids = tf.tensor2d(hashedIntegers(1, 'ids', 200, 11), [20, 10], 'int32');
    return tf.gather(table, ids);
  },
  EXACT,
);

for (const name of ['tiny', 'tinyV', 'tinyJ', 'C']) {
  const large = name === 'C';
  cases.push({
    name: `model ${name}: loss and gradients`,
    large,
    slack: 2,
    compute: (precision) => modelGradients(name, precision),
  });
  cases.push({ name: `model ${name}: 5 steps`, large, slack: 4, compute: (precision) => modelSteps(name, precision) });
}
cases.push({ name: 'decode tiny', slack: 2, compute: () => decoded('tiny') });

function modelGradients(name: string, precision: MatmulPrecision): Results {
  const { task, tree } = openCase(name, precision);
  try {
    return arraysOf(() => {
      const variables = tree.trainableNames().map((path) => tree.variable(path));
      const { value, grads } = atMatmulPrecision(precision, () => tf.variableGrads(() => task.loss(0).sum, variables));
      return [value, ...variables.flatMap((variable) => grads[variable.name] ?? [])];
    });
  } finally {
    tree.dispose();
  }
}

/** Losses of the project's own training steps. */
async function modelSteps(name: string, precision: MatmulPrecision): Promise<Results> {
  const { task, tree, training } = openCase(name, precision);
  const optimizer = new AdamW(tree, training);
  const losses: number[] = [];
  try {
    for (let step = 1; step <= 5; step++) losses.push((await trainStep(task, training, optimizer, { step })).loss);
    return [Float32Array.from(losses)];
  } finally {
    optimizer.dispose();
    tree.dispose();
  }
}

async function decoded(name: string): Promise<Results> {
  const { tree, language } = openCase(name, 'highest');
  if (language === undefined) throw new Error(`decode: expected a language model, got ${name}`);
  try {
    const request = { rowNames: ['a', 'b', 'c'], prompt: [1, 7, 3], stopIds: [language.vocabSize] };
    const rows = await decode(
      languageDecodeForward(tree, language),
      request,
      Decoding.parse({ method: 'greedy', maxTokens: 12 }),
    );
    return rows.map(([{ tokenIds, logProb }]) => Float32Array.of(...tokenIds, logProb));
  } finally {
    tree.dispose();
  }
}

function largestOf(array: Float32Array): number {
  return array.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
}

/** max |a − b| / max |b|, or over `floor`; Infinity where lengths differ or a number is none. */
function difference(actual: Float32Array, expected: Float32Array, floor: number): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let apart = 0;
  for (let i = 0; i < expected.length; i++) {
    const here = Math.abs(actual[i] - expected[i]);
    if (Number.isNaN(here)) return Number.POSITIVE_INFINITY;
    apart = Math.max(apart, here);
  }
  return apart / Math.max(largestOf(expected), floor);
}

function sameBits(a: Results, b: Results): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer =>
    Buffer.from(buffer, byteOffset, byteLength);
  return a.length === b.length && a.every((array, i) => bytes(array).equals(bytes(b[i])));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const engine = options.engine as EngineName;
const wanted = cases.filter(({ name, large }) => name.includes(options.only) && !(options.subset && large));
const nativeWorks = await selectEngine('native').then(
  () => true,
  () => false,
);
const references = new Map<ParityCase, Results>();
for (const large of [false, true]) {
  await selectEngine(large && nativeWorks ? 'native' : 'cpu');
  for (const parityCase of wanted) {
    if ((parityCase.large ?? false) === large) references.set(parityCase, await parityCase.compute('highest'));
  }
}
const { device } = await selectEngine(engine, { allowSoftwareAdapter: true });
say(
  `engine ${engine} on ${device}; reference: cpu backend, large shapes ${nativeWorks ? 'native engine' : 'cpu backend'}`,
);

const counts = { passed: 0, missed: 0 };
const worst = new Map<string, { readonly name: string; readonly share: number; readonly apart: number }>();

function judge(name: string, precision: string, apart: number, tolerance: number, note = ''): void {
  const missed = !(apart <= tolerance);
  counts[missed ? 'missed' : 'passed']++;
  const share = apart / tolerance;
  if (share > (worst.get(precision)?.share ?? -1)) worst.set(precision, { name, share, apart });
  say(
    `${missed ? 'MISSED' : 'ok    '} ${precision.padEnd(7)} ${apart.toExponential(1)} (≤ ${tolerance.toExponential(0)}) ${name}${note}`,
  );
}

function fail(name: string, precision: string, what: string): void {
  counts.missed++;
  say(`MISSED ${precision.padEnd(7)} ${what.split('\n')[0].slice(0, 200)}: ${name}`);
}

for (const precision of options.precisions.split(',') as MatmulPrecision[]) {
  for (const parityCase of wanted) {
    const { name, exact, slack = 1 } = parityCase;
    if (exact && precision !== 'highest') continue;
    try {
      const actual = await parityCase.compute(precision);
      const again = await parityCase.compute(precision);
      const expected = references.get(parityCase) as Results;
      const floor = (parityCase.floor ?? 1e-6) * Math.max(1e-20, ...expected.map(largestOf));
      const apart = expected.map((numbers, i) => difference(actual[i] ?? new Float32Array(), numbers, floor));
      const largest = Math.max(...apart);
      judge(
        name,
        precision,
        largest,
        TOLERANCES[precision] * slack,
        apart.length > 1 ? `, result ${apart.indexOf(largest)}` : '',
      );
      if (!sameBits(actual, again)) fail(name, precision, 'other bits the second time');
    } catch (error) {
      fail(name, precision, `${(error as Error).name}: ${(error as Error).message}`);
    }
  }
}

async function fixture(name: string, run: () => Promise<readonly TensorParity[]>): Promise<void> {
  try {
    for (const { name: tensor, relativeError } of await run()) {
      judge(`${name}: ${tensor}`, 'fixture', relativeError, FIXTURE_TOLERANCE);
    }
  } catch (error) {
    fail(name, 'fixture', (error as Error).message);
  }
}

if (options.only === '' && !options.subset) {
  const own = benchPath('../test/fixtures/tokenformer');
  const official = join(process.env.TOKENFUSE_SHARED ?? benchPath('../../shared'), 'fixtures/official');
  for (const mode of ['l2_norm_gelu', 'gelu_l2_norm', 'softmax']) {
    for (const [kind, folder] of [
      ['float64', own],
      ['official', official],
    ] as const) {
      const path = join(folder, `pattention-${mode}.safetensors`);
      if (existsSync(path)) await fixture(`${kind} Pattention ${mode}`, () => pattentionParity(path));
    }
    const [weights, expected] = ['weights', 'expected'].map((part) =>
      join(own, `language-${mode}.${part}.safetensors`),
    );
    if (existsSync(weights)) await fixture(`float64 language ${mode}`, () => languageModelParity(weights, expected));
  }
  const [weights, expected] = ['weights', 'expected'].map((part) =>
    join(official, `tokenformer-tiny.${part}.safetensors`),
  );
  if (existsSync(weights)) await fixture('official language model', () => languageModelParity(weights, expected));
}

for (const [precision, { name, apart }] of worst) say(`worst ${precision}: ${apart.toExponential(1)} ${name}`);
say(`${counts.passed} passed, ${counts.missed} missed`);
process.exitCode = counts.missed > 0 ? 1 : 0;
