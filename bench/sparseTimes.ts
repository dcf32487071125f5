/**
 * @file Time of one Pattention layer on the native engine, dense, with its strongest parameter tokens, and routed:
 * `npm run bench:sparse [threads] [milliseconds a row]`.
 *
 * The ways take turns within a round, and figures are medians over rounds of processor time, all threads together: on one
 * thread (the default) it is the time that a machine with nothing else to do needs. The keys are random, so the clusters
 * are of about the same size; what they are worth is measured by `bench:sparse-loss`.
 */
import { renderTable } from '#src/cli';
import { selectEngine, tf } from '#src/engine';
import { pattention, routedPattention, sparsePattention } from '#src/kernels';
import { createRandom } from '#src/random';
import { clusterKeys, strongestOf } from '#src/tokenformer';
import { median } from './statistics.js';

const WIDTHS = [256, 768];
const PARAM_TOKENS = [1024, 4096, 16_384];
const ROWS = [1, 64];
const SHARES = [1 / 2, 1 / 4, 1 / 8, 1 / 16];
/** Of this many clusters, those with about an eighth and a thirty-second of the parameter tokens. */
const CLUSTERS = 64;
const BEST = [8, 2];

const [threads = '1', budget = '1500'] = process.argv.slice(2);
const { name, device } = await selectEngine('native', { threads: Number(threads) });
const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
const head = [
  'd',
  'n',
  'rows',
  'dense ms',
  ...SHARES.map(percent),
  ...BEST.map((best) => `${best}/${CLUSTERS} clusters`),
];
const table: string[][] = [];
for (const d of WIDTHS) for (const n of PARAM_TOKENS) for (const rows of ROWS) table.push(timesOf(d, n, rows));
process.stdout.write(`${name}: ${device}; processor time by that of the dense layer\n\n${renderTable(head, table)}\n`);

function timesOf(d: number, n: number, rows: number): string[] {
  return tf.tidy(() => {
    const seeded = (shape: [number, number], seed: number) =>
      tf.randomNormal(shape, 0, 1, 'float32', seed) as tf.Tensor2D;
    const [x, keys, values] = [seeded([rows, d], 1), seeded([n, d], 2), seeded([n, d], 3)];
    const settings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 1e-5, tau: Math.sqrt(n) } as const;
    const clustered = clusterKeys(keys, values, CLUSTERS, createRandom(1, 'bench'));
    const ways = [
      () => pattention(x, keys, values, settings),
      ...SHARES.map((share) => () => sparsePattention(x, keys, values, settings, strongestOf({ share }, n))),
      ...BEST.map((best) => () => routedPattention(x, clustered, settings, best)),
    ];
    const times = ways.map(() => [] as number[]);
    const started = performance.now();
    for (let round = -1; round < 3 || performance.now() - started < Number(budget); round++) {
      for (const [way, run] of ways.entries()) {
        const before = process.cpuUsage();
        run().dispose();
        const { user, system } = process.cpuUsage(before);
        if (round >= 0) times[way].push((user + system) / 1000);
      }
    }
    const [dense, ...others] = times.map(median);
    return [String(d), String(n), String(rows), dense.toFixed(2), ...others.map((time) => (time / dense).toFixed(2))];
  });
}
