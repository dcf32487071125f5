import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import {
  type ActiveGroup,
  type AttentionContext,
  blocksOf,
  type Capture,
  contextLayers,
  createStack,
  createUsageMeter,
  layerActivity,
  ParameterTree,
  type PattentionLayer,
  pattentionLayer,
  readGroup,
  runStack,
  stackBlocks,
  TokenFormerConfig,
} from '#src/tokenformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { randomValues } from '../support/randomValues.js';

const config = TokenFormerConfig.parse({
  dModel: 6,
  numLayers: 2,
  numHeads: 2,
  qkvParamTokens: 5,
  outputParamTokens: 4,
  ffnParamTokens: 7,
  appendedGroups: [{ name: 'task', query: 3, ffn: 2 }],
});
const [batch, seqLen, dModel] = [2, 3, config.dModel];

function stack(): { tree: ParameterTree; blocks: ReturnType<typeof stackBlocks> } {
  const tree = new ParameterTree(createStack('g', config, 1));
  return { tree, blocks: stackBlocks(tree, config, 'g') };
}

const input = (): tf.Tensor3D =>
  tf.tensor3d(randomValues(batch * seqLen * dModel, 'usage', 'x'), [batch, seqLen, dModel]);

const forward =
  (blocks: ReturnType<typeof stackBlocks>, contexts?: readonly AttentionContext[]) =>
  (capture: Capture): unknown =>
    runStack(input(), blocks, config, { mask: { kind: 'causal' }, contexts, capture });

/** The rows of a matrix on the host. */
const rowsOf = (t: tf.Tensor): number[][] => t.arraySync() as number[][];

function layerOf(norms: readonly ActiveGroup['norm'][], gate?: number): { x: tf.Tensor2D; layer: PattentionLayer } {
  const layer = norms.map((norm, g): ActiveGroup => {
    const tokens = (what: string): tf.Tensor2D =>
      tf.tensor2d(randomValues((g + 3) * dModel, 'layer', g, what), [g + 3, dModel]);
    const group = {
      name: `g${g}`,
      keyParamTokens: tokens('k'),
      valueParamTokens: tokens('v'),
      tau: 2,
      trainable: false,
    };
    return { group, norm, ...(gate !== undefined && { gate: tf.scalar(gate) }) };
  });
  return { x: tf.tensor2d(randomValues(4 * dModel, 'layer', 'x'), [4, dModel]), layer };
}

describeEachEngine('the use of parameter tokens', () => {
  for (const norms of [['own'], ['own', 'own'], ['union', 'union'], ['own', 'linear', 'union', 'union']] as const) {
    it(`has weights that give the layer's output, norms ${norms.join(', ')}`, () => {
      const { x, layer } = layerOf(norms);
      const sum = layerActivity(x, layer, config)
        .map(({ weights, group }) => tf.matMul(weights, group.valueParamTokens))
        .reduce((a, b): tf.Tensor2D => tf.add(a, b));
      // Measured: 2e-7 at most, float32.
      expect(relativeError(sum.dataSync(), pattentionLayer(x, layer, config).dataSync())).toBeLessThan(2e-6);
    });
  }

  it('is the length of what each token writes, its gate included', () => {
    const { x, layer } = layerOf(['own'], 0.5);
    const [{ weights, use, scores, group }] = layerActivity(x, layer, config);
    const [keys, values] = [rowsOf(group.keyParamTokens), rowsOf(group.valueParamTokens)];
    const tokens = rowsOf(x);
    for (const [t, row] of rowsOf(weights).entries()) {
      for (const [i, weight] of row.entries()) {
        const length = Math.hypot(...values[i].map((value) => weight * Math.tanh(0.5) * value));
        expect(rowsOf(use)[t][i]).toBeCloseTo(length, 5);
        expect(rowsOf(scores)[t][i]).toBeCloseTo(
          keys[i].reduce((sum, key, d) => sum + key * tokens[t][d], 0),
          5,
        );
      }
    }
  });

  it('is averaged over the tokens of all passes, for every group of every layer', async () => {
    const { tree, blocks } = stack();
    const meter = createUsageMeter(blocks, config);
    await meter.observe(forward(blocks));
    await meter.observe(forward(blocks));
    const usage = meter.usage();
    expect(usage.map(({ block, layer, group, use }) => [block, layer, group, use.length])).toEqual(
      [0, 1].flatMap((block) => [
        [block, 'query', 'g', 5],
        [block, 'query', 'g.task', 3],
        [block, 'key', 'g', 5],
        [block, 'value', 'g', 5],
        [block, 'output', 'g', 4],
        [block, 'ffn', 'g', 7],
        [block, 'ffn', 'g.task', 2],
      ]),
    );
    const seen = new Map<string, number[][]>();
    forward(blocks)((name, compute) => {
      if (/\/(weights|input)$/.test(name)) seen.set(name, rowsOf(compute()));
    });
    const { use, weight, squaredScore } =
      usage.find(({ block, group }) => block === 1 && group === 'g.task') ?? usage[0];
    const group = readGroup(tree, 'block1/attention/query', 'g.task');
    const weights = seen.get('block1/attention/query/g.task/weights') as number[][];
    const x = seen.get('block1/attention/query/input') as number[][];
    const mean = (at: (t: number) => number): number => weights.reduce((sum, _, t) => sum + at(t), 0) / weights.length;
    for (const [i, value] of rowsOf(group.valueParamTokens).entries()) {
      const key = rowsOf(group.keyParamTokens)[i];
      const score = (t: number): number => key.reduce((sum, k, d) => sum + k * x[t][d], 0);
      // Measured: 6e-8 apart at most, float32.
      expect(weight[i]).toBeCloseTo(
        mean((t) => Math.abs(weights[t][i])),
        6,
      );
      expect(use[i]).toBeCloseTo(mean((t) => Math.abs(weights[t][i])) * Math.hypot(...value), 6);
      expect(squaredScore[i]).toBeCloseTo(
        mean((t) => score(t) ** 2),
        6,
      );
    }
  });

  it('leaves out the tokens that do not count', async () => {
    const { blocks } = stack();
    const [all, first] = [createUsageMeter(blocks, config), createUsageMeter(blocks, config)];
    await all.observe((capture) =>
      runStack(tf.slice(input(), [0, 0, 0], [1, -1, -1]), blocks, config, { mask: { kind: 'causal' }, capture }),
    );
    await first.observe(forward(blocks), Float32Array.of(1, 1, 1, 0, 0, 0));
    for (const [i, { use }] of first.usage().entries()) {
      expect(relativeError(use, all.usage()[i].use)).toBeLessThan(1e-6);
    }
    await expect(first.observe(forward(blocks), new Float32Array(5))).rejects.toThrow('expected counts of 6 tokens');
    expect(() => createUsageMeter(blocks, config).usage()).toThrow('expected passes with tokens');
  });

  it('keeps no tensor', async () => {
    const { blocks } = stack();
    const meter = createUsageMeter(blocks, config);
    const x = input();
    const run = (capture: Capture): unknown => runStack(x, blocks, config, { mask: { kind: 'causal' }, capture });
    await meter.observe(run);
    const before = tf.memory().numTensors;
    await meter.observe(run);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is offered for what a context brings too', () => {
    const { blocks } = stack();
    const [extra] = blocksOf(1, (layer) => blocks[0][layer]);
    for (const separate of [undefined, { query: extra.query, gate: tf.scalar(1) }]) {
      const context = {
        keys: tf.ones([batch, 2, dModel]),
        values: tf.ones([batch, 2, dModel]),
        outputGroups: extra.output,
        separate,
      } as AttentionContext;
      const inputs: string[] = [];
      forward(blocks, [context, context])((name, compute) => {
        if (!name.startsWith('block1/context')) return;
        inputs.push(name);
        expect(compute().shape).toEqual([batch * seqLen, dModel]);
      });
      expect(inputs.sort()).toEqual(
        Object.keys(contextLayers(context))
          .sort()
          .map((path) => `block1/${path}/input`),
      );
    }
  });
});
