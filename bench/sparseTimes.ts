/**
 * @file Times of the native engine, dense, with the first parameter tokens alone, with the strongest, and with the best
 * clusters: of one Pattention layer, and of a new token through two blocks. `npm run bench:sparse [threads] [milliseconds a row]`.
 *
 * The ways take turns within a round, and figures are medians over rounds of processor time, all threads together: on one
 * thread (the default) it is the time that a machine with nothing else to do needs. The keys are random, so the clusters
 * are of about the same size; what they are worth is measured by `bench:sparse-loss`.
 */
import { renderTable } from '#src/cli';
import { selectEngine, tf } from '#src/engine';
import { pattention, routedPattention, sparsePattention } from '#src/kernels';
import { createRandom } from '#src/random';
import {
  type BlockLayers,
  clusterKeys,
  createStack,
  ParameterTree,
  prefixStack,
  runStack,
  type Sparsity,
  stackBlocks,
  strongestOf,
  TokenFormerConfig,
  tokensIn,
} from '#src/tokenformer';
import { median } from './statistics.js';

const WIDTHS = [256, 768];
const PARAM_TOKENS = [1024, 4096, 16_384];
const ROWS = [1, 64];
const SHARES = [1 / 2, 1 / 4, 1 / 8, 1 / 16];
/** Of this many clusters, those with about an eighth and a thirty-second of the parameter tokens. */
const CLUSTERS = 64;
const BEST = [8, 2];
/** Tokens in the caches of a decoding step, and its blocks. */
const [PAST, BLOCKS] = [64, 2];

const [threads = '1', budget = '1500'] = process.argv.slice(2);
const { name, device } = await selectEngine('native', { threads: Number(threads) });
const shares = SHARES.map((share) => `${(100 * share).toFixed(1)}%`);
const ways = [...shares, ...BEST.map((best) => `${best} of ${CLUSTERS}`)];
const sizes = WIDTHS.flatMap((d) => PARAM_TOKENS.map((n) => [d, n] as const));
const layers = sizes.flatMap(([d, n]) => ROWS.map((rows) => layerTimes(d, n, rows)));
process.stdout.write(`${name}: ${device}; processor time by that of the dense form\n\n`);
print(['d', 'n', 'rows', 'dense ms'], ways, layers);
const steps = sizes.filter(([, n]) => n < 10_000).map(([d, n]) => decodingTimes(d, n));
print(['d', 'n of ffn', 'token ms'], [...ways, '25.0% by block'], steps);

/** Two tables: prefixes, then all that use some of the parameter tokens. */
function print(head: readonly string[], others: readonly string[], rows: readonly string[][]): void {
  const first = head.length + shares.length;
  const prefixes = rows.map((row) => row.slice(0, first));
  const sparse = rows.map((row) => [...row.slice(0, head.length), ...row.slice(first)]);
  process.stdout.write(`${renderTable([...head, ...shares.map((share) => `first ${share}`)], prefixes)}\n\n`);
  process.stdout.write(`${renderTable([...head, ...others], sparse)}\n\n`);
}

/** One layer, [rows, d] by n parameter tokens. */
function layerTimes(d: number, n: number, rows: number): string[] {
  return tf.tidy(() => {
    const seeded = (shape: [number, number], seed: number): tf.Tensor2D =>
      tf.randomNormal(shape, 0, 1, 'float32', seed) as tf.Tensor2D;
    const [x, keys, values] = [seeded([rows, d], 1), seeded([n, d], 2), seeded([n, d], 3)];
    const settings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 1e-5, tau: Math.sqrt(n) } as const;
    const clustered = clusterKeys(keys, values, CLUSTERS, createRandom(1, 'bench'));
    const times = medians([
      () => pattention(x, keys, values, settings),
      ...SHARES.map((share) => {
        const tokens = tokensIn({ share }, n);
        const [first, firstValues] = [keys, values].map((all) => tf.slice(all, [0, 0], [tokens, -1]) as tf.Tensor2D);
        return () => pattention(x, first, firstValues, { ...settings, tau: Math.sqrt(tokens) });
      }),
      ...SHARES.map((share) => () => sparsePattention(x, keys, values, settings, strongestOf({ share }, n))),
      ...BEST.map((best) => () => routedPattention(x, clustered, settings, best)),
    ]);
    return [String(d), String(n), String(rows), ...besideDense(times)];
  });
}

/** One new token through blocks with n parameter tokens in the ffn and n/4 in every other layer. */
function decodingTimes(d: number, n: number): string[] {
  const config = TokenFormerConfig.parse({
    dModel: d,
    numLayers: BLOCKS,
    numHeads: d / 64,
    qkvParamTokens: n / 4,
    outputParamTokens: n / 4,
    ffnParamTokens: n,
  });
  const tree = new ParameterTree(createStack('own', config, 1));
  // Blocks keep the sparsity that the tree has when they are made.
  const blocksOf = (sparsity?: Sparsity, stack = config): BlockLayers[] => {
    tree.useSparsity(sparsity);
    return stackBlocks(tree, stack, 'own');
  };
  const mask = { kind: 'causal' } as const;
  const times = tf.tidy(() => {
    const x = tf.randomNormal([1, PAST, d], 0, 1, 'float32', 1) as tf.Tensor3D;
    const next = tf.slice(x, [0, 0, 0], [-1, 1, -1]);
    const dense = blocksOf();
    const first = runStack(x, dense, config, { mask, keepCaches: true });
    // With room behind what they hold: every step writes its token to the same place.
    const { caches } = runStack(next, dense, config, { mask, caches: first.caches });
    const step = (blocks: BlockLayers[], capture?: () => void) => () =>
      runStack(next, blocks, config, { mask, caches, capture }).hidden;
    const quarter = blocksOf({ share: 1 / 4 });
    return medians([
      step(dense),
      ...SHARES.map((share) => step(blocksOf(undefined, prefixStack(config, { share })))),
      ...SHARES.map((share) => step(blocksOf({ share }))),
      ...BEST.map((best) => step(blocksOf({ best, clusters: CLUSTERS }))),
      // A listener sends the pass through the blocks one after the other.
      step(quarter, () => undefined),
    ]);
  });
  tree.dispose();
  return [String(d), String(n), ...besideDense(times)];
}

/** The median processor time of each in milliseconds, over rounds in which they take turns. */
function medians(runs: readonly (() => tf.Tensor)[]): number[] {
  const times = runs.map(() => [] as number[]);
  const started = performance.now();
  for (let round = -1; round < 3 || performance.now() - started < Number(budget); round++) {
    for (const [way, run] of runs.entries()) {
      const before = process.cpuUsage();
      tf.tidy(() => void run());
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) times[way].push((user + system) / 1000);
    }
  }
  return times.map(median);
}

/** The dense time, and the others by it. */
function besideDense([dense, ...others]: readonly number[]): string[] {
  return [dense.toFixed(2), ...others.map((time) => (time / dense).toFixed(2))];
}
