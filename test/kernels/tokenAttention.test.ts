import { describe, expect, it } from 'vitest';
import { tf } from '#src/engine';
import { type TokenAttentionSettings, tokenAttention, tokenAttentionReference, visibilityMask } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { dot } from '../support/dot.js';
import { attention, directionalDerivative, matrix } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

function drawn(queryLen: number, keyLen: number, prefixLen: number): string[] {
  const mask = visibilityMask(queryLen, keyLen, prefixLen);
  return Array.from({ length: queryLen }, (_, i) => mask.slice(i * keyLen, (i + 1) * keyLen).join(' '));
}

describe('visibilityMask', () => {
  it('causal', () => {
    expect(drawn(4, 4, 0)).toEqual([
      '1 0 0 0', //
      '1 1 0 0',
      '1 1 1 0',
      '1 1 1 1',
    ]);
  });

  it('full', () => {
    expect(drawn(3, 3, 3)).toEqual([
      '1 1 1', //
      '1 1 1',
      '1 1 1',
    ]);
  });

  it('prefix', () => {
    expect(drawn(4, 4, 2)).toEqual([
      '1 1 0 0', //
      '1 1 0 0',
      '1 1 1 0',
      '1 1 1 1',
    ]);
  });

  it('causal after two cached keys: each new query sees the cache and what came before it', () => {
    expect(drawn(2, 4, 0)).toEqual([
      '1 1 1 0', //
      '1 1 1 1',
    ]);
  });

  it('two keys of a context before three tokens of text', () => {
    expect(drawn(3, 5, 2)).toEqual([
      '1 1 1 0 0', //
      '1 1 1 1 0',
      '1 1 1 1 1',
    ]);
  });

  it('a prefix longer than the keys is full', () => {
    expect(drawn(2, 3, 9)).toEqual(['1 1 1', '1 1 1']);
  });
});

const [batch, numHeads, headDim] = [2, 2, 3];
const width = numHeads * headDim;

interface Case {
  readonly queryLen: number;
  readonly keyLen: number;
  readonly prefixLen: number;
  readonly contextLen: number;
  /** [batch][keyLen], 1 = attend. */
  readonly keyMask?: number[][];
}

const cases: [string, Case][] = [
  ['causal', { queryLen: 4, keyLen: 4, prefixLen: 0, contextLen: 0 }],
  ['full', { queryLen: 4, keyLen: 4, prefixLen: 4, contextLen: 0 }],
  ['prefix', { queryLen: 4, keyLen: 4, prefixLen: 2, contextLen: 0 }],
  ['after a cache', { queryLen: 2, keyLen: 5, prefixLen: 0, contextLen: 0 }],
  [
    'padding',
    {
      queryLen: 4,
      keyLen: 4,
      prefixLen: 4,
      contextLen: 0,
      keyMask: [
        [1, 1, 0, 0],
        [1, 1, 1, 0],
      ],
    },
  ],
  ['context', { queryLen: 3, keyLen: 5, prefixLen: 2, contextLen: 2 }],
  [
    'context and padding',
    {
      queryLen: 3,
      keyLen: 5,
      prefixLen: 2,
      contextLen: 2,
      keyMask: [
        [1, 0, 1, 1, 1],
        [1, 1, 1, 1, 0],
      ],
    },
  ],
];

function values({ queryLen, keyLen, contextLen }: Case) {
  return {
    q: randomValues(batch * queryLen * width, 'attention', 'q', queryLen),
    k: randomValues(batch * keyLen * width, 'attention', 'k', keyLen),
    v: randomValues(batch * keyLen * width, 'attention', 'v', keyLen),
    dy: randomValues((contextLen > 0 ? 2 : 1) * batch * queryLen * width, 'attention', 'dy', queryLen),
  };
}

function tensors(given: Case): [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D] {
  const { q, k, v } = values(given);
  return [
    tf.tensor3d(q, [batch, given.queryLen, width]),
    tf.tensor3d(k, [batch, given.keyLen, width]),
    tf.tensor3d(v, [batch, given.keyLen, width]),
  ];
}

const settingsOf = ({ prefixLen, contextLen }: Case): TokenAttentionSettings => ({ numHeads, prefixLen, contextLen });

function run(given: Case, q: tf.Tensor, k: tf.Tensor, v: tf.Tensor): tf.Tensor {
  const mask = given.keyMask ? tf.tensor2d(given.keyMask) : undefined;
  return tokenAttention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, settingsOf(given), mask);
}

function plain(given: Case, q: ArrayLike<number>, k: ArrayLike<number>, v: ArrayLike<number>): number[] {
  const { queryLen, keyLen, prefixLen, contextLen, keyMask } = given;
  const item = (all: ArrayLike<number>, len: number, b: number) =>
    matrix(len, width, Array.from(all).slice(b * len * width, (b + 1) * len * width));
  const part = (fromKeys: number): number[] =>
    Array.from({ length: batch }, (_, b) => {
      const sees = (i: number, j: number): boolean =>
        (j <= keyLen - queryLen + i || j < prefixLen) && keyMask?.[b][j] !== 0;
      const [queries, keys, vals] = [item(q, queryLen, b), item(k, keyLen, b), item(v, keyLen, b)];
      return [...attention(queries, keys, vals, numHeads, sees, fromKeys).data];
    }).flat();
  return contextLen > 0 ? [...part(keyLen), ...part(contextLen)] : part(keyLen);
}

describeEachEngine('tokenAttention', () => {
  it.each(cases)('equals the formula in float64: %s', (_, given) => {
    const { q, k, v } = values(given);
    // Measured 4e-8 to 3e-7.
    expect(relativeError(run(given, ...tensors(given)).dataSync(), plain(given, q, k, v))).toBeLessThan(2e-6);
  });

  it.each(cases)('has the gradients of its definition, differentiated op by op: %s', (_, given) => {
    const mask = given.keyMask ? tf.tensor2d(given.keyMask) : undefined;
    const y = run(given, ...tensors(given));
    const dy = tf.tensor(values(given).dy, y.shape);
    const closed = tf.grads((q, k, v) => run(given, q, k, v))(tensors(given), dy);
    const byOps = tf.grads(
      (q, k, v) =>
        tokenAttentionReference(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, mask, settingsOf(given)).output,
    )(tensors(given), dy);
    for (const [i, gradient] of closed.entries()) {
      // Measured 6e-8 to 1e-6.
      expect(relativeError(gradient.dataSync(), byOps[i].dataSync())).toBeLessThan(5e-6);
    }
  });

  it.each(cases)('has the directional derivative of the formula: %s', (_, given) => {
    const { q, k, v, dy } = values(given);
    const flat = [...q, ...k, ...v];
    const direction = randomValues(flat.length, 'attention', 'direction');
    const f = (all: Float64Array): number =>
      dot(plain(given, all.slice(0, q.length), all.slice(q.length, q.length + k.length), all.slice(-v.length)), dy);
    const y = run(given, ...tensors(given));
    const gradients = tf.grads((a, b, c) => run(given, a, b, c))(tensors(given), tf.tensor(dy, y.shape));
    const slope = dot(
      gradients.flatMap((gradient) => [...gradient.dataSync()]),
      direction,
    );
    // Measured 3e-8 to 6e-6.
    expect(relativeError([slope], [directionalDerivative(f, flat, direction)])).toBeLessThan(1e-4);
  });

  it('with a context gives the output as the sum of the part from the context and the rest', () => {
    const given = { queryLen: 3, keyLen: 5, prefixLen: 2, contextLen: 2 };
    const [q, k, v] = tensors(given);
    const [whole, fromContext] = tf.unstack(run(given, q, k, v));
    // Values of the context set to zero leave what is read from the text; the softmax does not change.
    const textValues = tf.concat([tf.zeros([batch, 2, width]), v.slice([0, 2, 0], [batch, 3, width])], 1);
    const [fromText] = tf.unstack(run(given, q, k, textValues));
    expect(relativeError(tf.add(fromContext, fromText).dataSync(), whole.dataSync())).toBeLessThan(1e-6);
  });

  it('does not let a hidden key change anything', () => {
    const given: Case = {
      queryLen: 4,
      keyLen: 4,
      prefixLen: 4,
      contextLen: 0,
      keyMask: [
        [1, 1, 1, 0],
        [1, 1, 1, 0],
      ],
    };
    const [q, k, v] = tensors(given);
    const before = run(given, q, k, v).dataSync();
    const shouted = tf.concat([k.slice([0, 0, 0], [batch, 3, width]), tf.fill([batch, 1, width], 50)], 1);
    expect([
      ...run(
        given,
        q,
        shouted,
        tf.concat([v.slice([0, 0, 0], [batch, 3, width]), tf.fill([batch, 1, width], 1e3)], 1),
      ).dataSync(),
    ]).toEqual([...before]);
  });

  it('of a row that sees nothing is finite', () => {
    const given: Case = {
      queryLen: 4,
      keyLen: 4,
      prefixLen: 0,
      contextLen: 0,
      keyMask: [
        [0, 0, 0, 0],
        [0, 1, 1, 1],
      ],
    };
    expect([...run(given, ...tensors(given)).dataSync()].every(Number.isFinite)).toBe(true);
  });

  it('of scores of 1e4 does not overflow', () => {
    const q = tf.tensor3d([[[100]]]);
    const k = tf.tensor3d([[[100], [-100]]]);
    const v = tf.tensor3d([[[2], [3]]]);
    const y = tokenAttention(q, k, v, { numHeads: 1, prefixLen: 2, contextLen: 0 });
    expect([...y.dataSync()]).toEqual([2]);
  });
});
