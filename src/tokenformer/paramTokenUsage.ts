import { tf } from '#src/engine';
import { type BlockLayers, type Capture, LAYER_PATHS } from './block.js';
import type { PattentionMath } from './config.js';
import { LAYER_NAMES, type LayerName } from './config.js';
import { activitySums, layerActivity } from './paramTokenActivity.js';

/** How the parameter tokens of one group were used, each list a mean over tokens, [numParamTokens]. */
export interface ParamTokenUsage {
  readonly block: number;
  readonly layer: LayerName;
  readonly group: string;
  /** |S_i| ‖V_i‖₂, the length of what parameter token i writes; gates included. */
  readonly use: Float64Array;
  /** |S_i| */
  readonly weight: Float64Array;
  /** A_i² */
  readonly squaredScore: Float64Array;
}

/** Means of the use of parameter tokens over forward passes. */
export interface UsageMeter {
  /**
   * Runs a forward pass and counts what its blocks compute.
   *
   * @param forward gives its `capture` to `runStack`, or to what calls it
   * @param counts of each token of the pass, [batch · seqLen]: 1, or 0 for padding; all 1 when absent
   */
  observe(forward: (capture: Capture) => unknown, counts?: Float32Array): Promise<void>;
  /** The means so far, block by block, layer by layer, group by group. @throws Error when no token was counted */
  usage(): ParamTokenUsage[];
}

/**
 * Measures how much the parameter tokens of a stack are used, which says which can be dropped: mean |S_i| ‖V_i‖, mean |S_i|
 * and mean A_i² over the tokens of all passes, with S = Θ(A), A = x Kᵀ.
 *
 * @param blocks of the passes; a layer's groups are those it holds here
 */
export function createUsageMeter(blocks: readonly BlockLayers[], math: PattentionMath): UsageMeter {
  const places = blocks.flatMap((layers, block) =>
    LAYER_NAMES.flatMap((layer) => layers[layer].map(({ group }) => ({ block, layer, group }))),
  );
  const totals = places.map(({ group }) =>
    Array.from({ length: 3 }, () => new Float64Array(group.keyParamTokens.shape[0])),
  );
  let counted = 0;
  return {
    observe: async (forward, counts) => {
      const sums = tf.tidy(() => {
        const found = new Map<string, tf.Tensor2D[]>();
        let rows = 0;
        forward((name, compute) => {
          const [, block, layer] = INPUT.exec(name) ?? [];
          const ofLayer = blocks[Number(block)]?.[LAYERS.get(layer) as LayerName];
          if (ofLayer === undefined) return;
          const kept = tf.tidy(() => {
            const x = compute() as tf.Tensor2D;
            rows = x.shape[0];
            if (counts !== undefined && counts.length !== rows)
              throw new Error(`createUsageMeter: expected counts of ${rows} tokens, got ${counts.length}`);
            return layerActivity(x, ofLayer, math).map((activity) => activitySums(activity, counts));
          });
          found.set(`${block}/${LAYERS.get(layer)}`, kept);
        });
        counted += counts?.reduce((sum, count) => sum + count, 0) ?? rows;
        return blocks.flatMap((_, block) => LAYER_NAMES.flatMap((layer) => found.get(`${block}/${layer}`) ?? []));
      });
      const read = await Promise.all(sums.map((sum) => sum.data()));
      tf.dispose(sums);
      for (const [p, values] of read.entries()) {
        const n = totals[p][0].length;
        for (const [m, total] of totals[p].entries()) for (let i = 0; i < n; i++) total[i] += values[m * n + i];
      }
    },
    usage: () => {
      if (counted === 0) throw new Error('createUsageMeter: expected passes with tokens, got none');
      return places.map(({ block, layer, group }, p) => {
        const [use, weight, squaredScore] = totals[p].map((total) => total.map((sum) => sum / counted));
        return { block, layer, group: group.name, use, weight, squaredScore };
      });
    },
  };
}

const INPUT = /^block(\d+)\/(.+)\/input$/;
const LAYERS = new Map<string, LayerName>(LAYER_NAMES.map((layer) => [LAYER_PATHS[layer], layer]));
