import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import {
  type AttentionContext,
  type AttentionMask,
  type BlockLayers,
  type BlockOptions,
  createStack,
  finalNorm,
  type KeyValueCache,
  ParameterTree,
  runStack,
  TokenFormerConfig,
} from '#src/tokenformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { layerNormalize, matrix } from '../support/float64.js';
import { oneGroupBlock } from '../support/oneGroupBlock.js';
import { randomValues } from '../support/randomValues.js';

const config = TokenFormerConfig.parse({
  dModel: 12,
  numLayers: 3,
  numHeads: 3,
  qkvParamTokens: 7,
  outputParamTokens: 5,
  ffnParamTokens: 9,
  rotaryShare: 0.5,
});
const [batch, seqLen, dModel] = [2, 6, config.dModel];

/** The tree and its blocks; keys and values larger than at the start of training, so that attention is not flat. */
function stack(): { tree: ParameterTree; blocks: BlockLayers[] } {
  const tensors = createStack('g', config, 1);
  for (const [name, { shape, values }] of tensors) {
    if (!name.endsWith('ParamTokens')) continue;
    tensors.set(name, { shape, values: Float32Array.from(values, (value) => 3 * value) });
  }
  const tree = new ParameterTree(tensors);
  return { tree, blocks: Array.from({ length: config.numLayers }, (_, l) => oneGroupBlock(tree, 'g', l)) };
}

const input = (length = seqLen): tf.Tensor3D =>
  tf
    .tensor3d(randomValues(batch * seqLen * dModel, 'stack', 'x'), [batch, seqLen, dModel])
    .slice([0, 0, 0], [batch, length, dModel]);

/** One position of every sequence replaced by something else. */
function changedAt(position: number): tf.Tensor3D {
  const other = tf.tensor3d(randomValues(batch * dModel, 'stack', 'other'), [batch, 1, dModel]);
  const before = input().slice([0, 0, 0], [batch, position, dModel]);
  const after = input().slice([0, position + 1, 0], [batch, seqLen - position - 1, dModel]);
  return tf.concat([before, other, after], 1);
}

/** Which positions of the output differ between two inputs. */
function positionsThatDiffer(a: tf.Tensor, b: tf.Tensor): number[] {
  const differs = tf.max(tf.abs(tf.sub(a, b)), [0, 2]).dataSync();
  return [...differs].flatMap((value, position) => (value === 0 ? [] : [position]));
}

describeEachEngine('a stack of blocks', () => {
  const run = (
    x: tf.Tensor3D,
    options: Omit<BlockOptions, 'mask' | 'cache' | 'context'> & { mask?: AttentionMask } = {},
  ) => runStack(x, stack().blocks, config, { mask: { kind: 'causal' }, ...options }).hidden;

  it('keeps the shape [batch, seqLen, dModel]', () => {
    const { hidden, caches } = runStack(input(), stack().blocks, config, {
      mask: { kind: 'causal' },
      keepCaches: true,
    });
    expect(hidden.shape).toEqual([batch, seqLen, dModel]);
    expect(caches.map(({ keys, values }) => [keys.shape, values.shape])).toEqual(
      Array.from({ length: 3 }, () => [
        [batch, seqLen, dModel],
        [batch, seqLen, dModel],
      ]),
    );
  });

  it('under a causal mask, a token changes itself and what comes after it', () => {
    expect(positionsThatDiffer(run(input()), run(changedAt(3)))).toEqual([3, 4, 5]);
  });

  it('under a causal mask, a prefix alone gives the same as inside a longer sequence', () => {
    const inside = run(input()).slice([0, 0, 0], [batch, 4, dModel]);
    // Measured 0 on cpu, 5e-7 on wasm, where products over more rows are cut into tiles in another way.
    expect(relativeError(run(input(4)).dataSync(), inside.dataSync())).toBeLessThan(2e-6);
  });

  it('under a full mask, a token changes every position', () => {
    const full = { mask: { kind: 'full' } } as const;
    expect(positionsThatDiffer(run(input(), full), run(changedAt(3), full))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('under a prefix mask, a token of the prefix changes every position, one after it what comes after it', () => {
    const prefix = { mask: { kind: 'prefix', prefixLen: 3 } } as const;
    expect(positionsThatDiffer(run(input(), prefix), run(changedAt(2), prefix))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(positionsThatDiffer(run(input(), prefix), run(changedAt(3), prefix))).toEqual([3, 4, 5]);
  });

  it('does not read what is padding', () => {
    const keyMask = tf.tensor2d([
      [1, 1, 1, 1, 1, 0],
      [1, 1, 1, 1, 1, 0],
    ]);
    const masked = { mask: { kind: 'full' }, keyMask } as const;
    expect(positionsThatDiffer(run(input(), masked), run(changedAt(5), masked))).toEqual([5]);
  });

  it('does not mix the sequences of a batch', () => {
    const first = run(input()).slice([0, 0, 0], [1, seqLen, dModel]);
    const alone = run(input().slice([0, 0, 0], [1, seqLen, dModel]));
    expect(relativeError(alone.dataSync(), first.dataSync())).toBeLessThan(2e-6);
  });

  it.each([
    ['token by token', [1, 1, 1, 1, 1, 1]],
    ['a prompt, then token by token', [3, 1, 1, 1]],
    ['in unequal parts', [2, 3, 1]],
  ])('with a cache gives the same as the full pass: %s', (_, parts) => {
    const { blocks } = stack();
    let caches: readonly KeyValueCache[] | undefined;
    let position = 0;
    const outputs = parts.map((length) => {
      const x = input().slice([0, position, 0], [batch, length, dModel]);
      const memory = caches ? { caches } : { keepCaches: true };
      const result = runStack(x, blocks, config, { mask: { kind: 'causal' }, ...memory });
      position += length;
      caches = result.caches;
      return result.hidden;
    });
    // Measured 0 on cpu, 5e-7 of the largest value on wasm.
    expect(relativeError(tf.concat(outputs, 1).dataSync(), run(input()).dataSync())).toBeLessThan(3e-6);
  });

  it('reads a context in the same softmax as its own tokens', () => {
    const { blocks } = stack();
    const context = (values: number, outputGroups: AttentionContext['outputGroups'] = []): AttentionContext => ({
      keys: tf.zeros([batch, 4, dModel]),
      values: tf.fill([batch, 4, dModel], values),
      outputGroups,
    });
    const withContext = (make: () => AttentionContext) =>
      runStack(input(), blocks, config, { mask: { kind: 'causal' }, contexts: blocks.map(make) }).hidden;
    const [one, two] = [withContext(() => context(1)), withContext(() => context(2))];
    expect(positionsThatDiffer(one, two)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(positionsThatDiffer(one, run(input()))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('lets output groups of the context read the context alone: silent when it holds zeros', () => {
    const { blocks } = stack();
    const run = (values: number, bridged: boolean): tf.Tensor3D =>
      runStack(input(), blocks, config, {
        mask: { kind: 'causal' },
        contexts: blocks.map(({ output }) => ({
          keys: tf.zeros([batch, 4, dModel]),
          values: tf.fill([batch, 4, dModel], values),
          outputGroups: bridged ? output : [],
        })),
      }).hidden;
    expect(positionsThatDiffer(run(0, true), run(0, false))).toEqual([]);
    expect(positionsThatDiffer(run(1, true), run(1, false))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('hands out intermediates by name', () => {
    const shapes = new Map<string, number[]>();
    run(input(), { capture: (name, compute) => void shapes.set(name, compute().shape) });
    const state = [batch, seqLen, dModel];
    const weights = (n: number): number[] => [batch * seqLen, n];
    const expected = new Map([['hidden.0', state]]);
    for (let l = 0; l < config.numLayers; l++) {
      for (const name of ['attention/query', 'attention/key', 'attention/value', 'attention/output', 'ffn']) {
        expected.set(`block${l}/${name}`, state);
        expected.set(`block${l}/${name}/input`, [batch * seqLen, dModel]);
      }
      for (const name of ['query', 'key', 'value']) expected.set(`block${l}/attention/${name}/g/weights`, weights(7));
      expected.set(`block${l}/attention/output/g/weights`, weights(5));
      expected.set(`block${l}/ffn/g/weights`, weights(9));
      expected.set(`block${l}/attention/probabilities`, [batch, config.numHeads, seqLen, seqLen]);
      expected.set(`hidden.${l + 1}`, state);
    }
    expect(new Map([...shapes].sort())).toEqual(new Map([...expected].sort()));
  });

  it('hands out weights that, times the value tokens, are what their layer gives', () => {
    const { tree, blocks } = stack();
    const seen = new Map<string, tf.Tensor>();
    const capture = (name: string, compute: () => tf.Tensor) => void seen.set(name, compute());
    runStack(input(), blocks, config, { mask: { kind: 'causal' }, capture });
    for (const layer of ['attention/value', 'attention/output', 'ffn']) {
      const values = tree.variable(`block1/${layer}/g/valueParamTokens`) as tf.Tensor as tf.Tensor2D;
      const given = tf.matMul(seen.get(`block1/${layer}/g/weights`) as tf.Tensor2D, values);
      expect(relativeError(given.dataSync(), seen.get(`block1/${layer}`)!.dataSync())).toBeLessThan(2e-6);
    }
  });

  it('hands out probabilities that sum to 1 and see nothing that comes after', () => {
    const seen = new Map<string, tf.Tensor>();
    run(input(), { capture: (name, compute) => void seen.set(name, compute()) });
    const probabilities = seen.get('block2/attention/probabilities') as tf.Tensor4D;
    for (const sum of tf.sum(probabilities, -1).dataSync()) expect(Math.abs(sum - 1)).toBeLessThan(1e-6);
    const above = tf.sub(probabilities, tf.linalg.bandPart(probabilities, -1, 0));
    expect(tf.max(tf.abs(above)).dataSync()[0]).toBe(0);
  });

  it('is the same with and without a listener', () => {
    const heard = run(input(), { capture: (_, compute) => void compute() });
    expect([...heard.dataSync()]).toEqual([...run(input()).dataSync()]);
  });

  it('ends in a parametric norm: LN(x) · scale + bias', () => {
    const { tree } = stack();
    const scale = randomValues(dModel, 'stack', 'scale');
    const bias = randomValues(dModel, 'stack', 'bias');
    tree.variable('g/finalNorm/scale').assign(tf.tensor1d(scale));
    tree.variable('g/finalNorm/bias').assign(tf.tensor1d(bias));
    const x = randomValues(4 * dModel, 'stack', 'norm');
    const expected = layerNormalize(matrix(4, dModel, x)).data.map(
      (value, i) => value * scale[i % dModel] + bias[i % dModel],
    );
    expect(relativeError(finalNorm(tf.tensor2d(x, [4, dModel]), tree, 'g').dataSync(), expected)).toBeLessThan(1e-6);
  });
});
