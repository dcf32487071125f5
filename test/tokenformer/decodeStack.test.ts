import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import {
  type ActiveGroup,
  type AttentionContext,
  type BlockLayers,
  createStack,
  decodeStack,
  type KeyValueCache,
  LAYER_NAMES,
  ParameterTree,
  runStack,
  TokenFormerConfig,
} from '#src/tokenformer';
import { relativeError } from '../support/closeness.js';
import { addon, describeCompiled, describeNative } from '../support/kernelComparison.js';
import { oneGroupBlock } from '../support/oneGroupBlock.js';
import { randomValues } from '../support/randomValues.js';

/** What one case of the comparison is made of. */
interface Case {
  readonly rows: number;
  readonly headDim: number;
  readonly numHeads: number;
  readonly paramTokens: number;
  readonly past: number;
  readonly room: number;
  /** 0: no context. */
  readonly contextLen: number;
  /** Whether the context is behind a gate per head. */
  readonly gated: boolean;
  readonly normActivation: 'l2NormGelu' | 'geluL2Norm' | 'softmax';
  readonly gelu: 'erf' | 'tanh';
  readonly rotaryShare: number;
  /** What is added to every layer beside the backbone's own group. */
  readonly extra: readonly ('own' | 'linear' | 'gated')[];
  /** Parameter tokens that a row uses of each group. */
  readonly strongest: number;
}

const anyCase: fc.Arbitrary<Case> = fc.record({
  rows: fc.integer({ min: 1, max: 9 }),
  headDim: fc.constantFrom(2, 5, 8, 24),
  numHeads: fc.integer({ min: 1, max: 4 }),
  paramTokens: fc.constantFrom(1, 7, 40, 300),
  past: fc.integer({ min: 1, max: 40 }),
  room: fc.constantFrom(0, 1, 30),
  contextLen: fc.constantFrom(0, 1, 16),
  gated: fc.boolean(),
  normActivation: fc.constantFrom('l2NormGelu', 'geluL2Norm', 'softmax'),
  gelu: fc.constantFrom('erf', 'tanh'),
  rotaryShare: fc.constantFrom(0, 0.25, 1),
  extra: fc.array(fc.constantFrom('own', 'linear', 'gated'), { maxLength: 2 }),
  // Which of two nearly equal weights is larger would be a matter of rounding: sparse groups have cases of their own.
  strongest: fc.constant(300),
});

const random = (shape: [number, number, number], ...scope: string[]): tf.Tensor3D =>
  tf.tensor3d(randomValues(shape[0] * shape[1] * shape[2], 'decode', ...scope), shape);

/** The stack, its context and caches of a case; everything is drawn from fixed streams. */
function build(of: Case) {
  const { rows, past, room, contextLen, paramTokens, extra } = of;
  const dModel = of.headDim * of.numHeads;
  const config = TokenFormerConfig.parse({
    dModel,
    numLayers: 2,
    numHeads: of.numHeads,
    qkvParamTokens: paramTokens,
    outputParamTokens: paramTokens,
    ffnParamTokens: paramTokens,
    normActivation: of.normActivation,
    gelu: of.gelu,
    rotaryShare: of.rotaryShare,
  });
  const names = ['own', ...extra.map((kind, i) => `${kind}${i}`), 'fromContext'];
  const tensors = new Map(names.flatMap((name) => [...createStack(name, config, 1)]));
  // Larger keys than at the start of training, so that attention is not flat.
  for (const [name, { shape, values }] of tensors) {
    if (name.endsWith('ParamTokens')) tensors.set(name, { shape, values: values.map((value) => 3 * value) });
  }
  const tree = new ParameterTree(tensors);
  tree.useSparsity({ count: of.strongest });
  const group = (name: string, block: number) => oneGroupBlock(tree, name, block);
  const blocks = Array.from({ length: config.numLayers }, (_, b) => {
    const own = group('own', b);
    const layer = (name: (typeof LAYER_NAMES)[number]): ActiveGroup[] => [
      ...own[name],
      ...extra.map((kind, i): ActiveGroup => {
        const [active] = group(`${kind}${i}`, b)[name];
        return kind === 'linear'
          ? { ...active, norm: 'linear' }
          : kind === 'gated'
            ? { ...active, gate: tf.scalar(0.7) }
            : active;
      }),
    ];
    return Object.fromEntries(LAYER_NAMES.map((name) => [name, layer(name)])) as unknown as BlockLayers;
  });
  const contexts: AttentionContext[] = blocks.map((_, b) => ({
    keys: random([rows, contextLen, dModel], 'contextKeys', String(b)),
    values: random([rows, contextLen, dModel], 'contextValues', String(b)),
    outputGroups: extra.length > 0 ? group('fromContext', b).output : [],
    ...(of.gated && { gate: tf.tensor1d(randomValues(of.numHeads, 'decode', 'gate', String(b))) }),
  }));
  const cached = (name: string): tf.Tensor3D =>
    tf.pad(random([rows, past, dModel], name), [
      [0, 0],
      [0, room],
      [0, 0],
    ]);
  const caches: KeyValueCache[] = blocks.map((_, b) => ({
    keys: cached(`keys${b}`),
    values: cached(`values${b}`),
    length: past,
  }));
  return { x: random([rows, 1, dModel], 'x'), blocks, config, caches, ...(contextLen > 0 ? { contexts } : {}) };
}

/** Of a pass: the states, and the filled part of every cache. */
function numbersOf({ hidden, caches }: { hidden: tf.Tensor3D; caches: readonly KeyValueCache[] }): Float32Array[] {
  const parts = caches.flatMap(({ keys, values, length }) =>
    [keys, values].map((cached) => tf.slice(cached, [0, 0, 0], [-1, length, -1])),
  );
  return [hidden, ...parts].map((tensor) => tensor.dataSync() as Float32Array);
}

/** `decodeStack` of a pass that it must take. */
function decoded(...pass: Parameters<typeof decodeStack>): NonNullable<ReturnType<typeof decodeStack>> {
  const result = decodeStack(...pass);
  if (result === undefined) throw new Error('expected the pass to be taken in one call');
  return result;
}

/** A listener, even one that wants nothing, sends the pass through the blocks one after the other. */
const blockByBlock = { mask: { kind: 'causal' }, capture: () => undefined } as const;

const one: Case = {
  rows: 3,
  headDim: 8,
  numHeads: 4,
  paramTokens: 300,
  past: 5,
  room: 4,
  contextLen: 6,
  gated: false,
  normActivation: 'l2NormGelu',
  gelu: 'erf',
  rotaryShare: 0.5,
  extra: ['own'],
  strongest: 300,
};

describeCompiled('a decoding step in one call', ['DecodeBlocks'], () => {
  it('is what the blocks compute one after the other', () => {
    fc.assert(
      fc.property(anyCase, (of) => {
        tf.tidy(() => {
          const { x, blocks, config, caches, ...context } = build(of);
          const expected = numbersOf(runStack(x, blocks, config, { ...blockByBlock, caches, ...context }));
          const actual = numbersOf(decoded(x, blocks, config, { caches, ...context }));
          expect(actual.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
          // Measured up to 4.3e-5 of the largest value over 1,500 cases: sharp softmaxes pass on what rounding did.
          for (const [i, numbers] of actual.entries()) expect(relativeError(numbers, expected[i])).toBeLessThan(1e-3);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('with closed gates on a context is to the bit what it is without one', () => {
    tf.tidy(() => {
      const pass = (gate?: tf.Tensor1D) => {
        const { x, blocks, config, caches, contexts } = build({ ...one, extra: [] });
        const closed = gate && { contexts: contexts?.map((context) => ({ ...context, gate })) };
        return numbersOf(decoded(x, blocks, config, { caches, ...closed }));
      };
      const without = pass();
      expect(pass(tf.zeros([4]))).toEqual(without);
      expect(pass(tf.fill([4], 0.1))).not.toEqual(without);
    });
  });

  it('writes into a cache that has room, and leaves a full one as it is', () => {
    tf.tidy(() => {
      const roomy = build(one);
      const [first] = decoded(roomy.x, roomy.blocks, roomy.config, roomy).caches;
      expect([first.keys === roomy.caches[0].keys, first.length]).toEqual([true, 6]);
      const full = build({ ...one, room: 0 });
      const before = full.caches[0].keys.dataSync();
      const [grown] = decoded(full.x, full.blocks, full.config, full).caches;
      expect([grown.keys.shape[1], grown.length]).toEqual([37, 6]);
      expect(full.caches[0].keys.dataSync()).toEqual(before);
    });
  });

  it('refuses a cache whose numbers another tensor has too', () => {
    tf.tidy(() => {
      const { x, blocks, config, caches } = build({ ...one, contextLen: 0 });
      caches[1].values.clone();
      expect(() => decodeStack(x, blocks, config, { caches })).toThrow(
        /expected numbers of a single tensor, got 2 sharing them/,
      );
    });
  });

  it.each([
    ['several new tokens', () => ({ x: tf.zeros([3, 2, 32]) as tf.Tensor3D })],
    ['many rows', () => ({ x: tf.zeros([33, 1, 32]) as tf.Tensor3D })],
    [
      'groups under one norm',
      () => ({
        blocks: build(one).blocks.map((layers) => ({
          ...layers,
          ffn: layers.ffn.map((g) => ({ ...g, norm: 'union' as const })),
        })),
      }),
    ],
    [
      'an attention of its own for the context',
      () => ({
        contexts: build(one).contexts?.map((context) => ({ ...context, separate: { query: [], gate: tf.scalar(0) } })),
      }),
    ],
    [
      'contexts of which only some have a gate',
      () => ({
        contexts: build({ ...one, gated: true }).contexts?.map(({ gate, ...context }, b) => ({
          ...context,
          ...(b > 0 && { gate }),
        })),
      }),
    ],
  ])('leaves %s to the blocks', (_, change) => {
    tf.tidy(() => {
      const { x, blocks, config, caches, contexts } = { ...build(one), ...change() };
      expect(decodeStack(x, blocks, config, { caches, ...(contexts ? { contexts } : {}) })).toBeUndefined();
    });
  });

  it('leaves a pass whose gradient is asked for to the blocks', () => {
    const gradient = tf.tidy(() => {
      const { x, blocks, config, caches } = build({ ...one, contextLen: 0 });
      const loss = (input: tf.Tensor): tf.Scalar =>
        tf.sum(tf.square(runStack(input as tf.Tensor3D, blocks, config, { mask: { kind: 'causal' }, caches }).hidden));
      return tf.grad(loss)(x).dataSync();
    });
    expect(Math.max(...gradient.map(Math.abs))).toBeGreaterThan(0.1);
  });
});

describeNative('a decoding step in one call, native', () => {
  it.each([
    [1, 1],
    [3, 5],
    [9, 30],
    [2, 299],
  ])('of %i rows with sparse groups is what the blocks compute one after the other, k %i', (rows, strongest) => {
    tf.tidy(() => {
      const { x, blocks, config, caches, ...context } = build({ ...one, rows, strongest, extra: ['linear', 'gated'] });
      const expected = numbersOf(runStack(x, blocks, config, { ...blockByBlock, caches, ...context }));
      const actual = numbersOf(decoded(x, blocks, config, { caches, ...context }));
      // Measured 2e-6 at most.
      for (const [i, numbers] of actual.entries()) expect(relativeError(numbers, expected[i])).toBeLessThan(3e-5);
    });
  });

  it.each([300, 20])('is the same bits at any number of threads, k %i', (strongest) => {
    const results = [1, 2, 3, 5].map((threads) => {
      addon!.setThreads(threads);
      return tf.tidy(() => {
        const { x, blocks, config, ...rest } = build({ ...one, strongest });
        return numbersOf(decoded(x, blocks, config, rest));
      });
    });
    addon!.setThreads(2);
    for (const result of results) expect(result).toEqual(results[0]);
  });
});
