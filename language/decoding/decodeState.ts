import { tf } from '#src/engine';
import { softmaxCrossEntropy } from '#src/kernels';
import type { AttentionContext, KeyValueCache } from '#src/tokenformer';
import type { StepLogits } from './search.js';

/** What rows carry from token to token; each list has one entry per block. */
export interface DecodeMemory {
  /** Other tokens that a row reads, such as its image's; absent: none. */
  readonly contexts?: readonly AttentionContext[];
  /** Keys and values of the tokens so far; absent before the first pass. */
  readonly caches?: readonly KeyValueCache[];
}

/** One pass over new tokens of every row. */
export type DecodeForward = (
  /** [rows, newTokens], int32 */
  tokenIds: tf.Tensor2D,
  memory: DecodeMemory,
) => { /** Of each row's last token, [rows, vocabSize]. */ logits: tf.Tensor2D; caches: readonly KeyValueCache[] };

/** The rows being decoded, on the engine. */
export interface DecodeState {
  /**
   * Runs new tokens of all rows through the model.
   *
   * @param tokenIds [rows · newTokens]
   */
  advance(tokenIds: Int32Array): Promise<StepLogits>;
  /** Makes row i continue the present row `parents[i]`; rows that are nobody's parent are dropped. */
  select(parents: readonly number[]): void;
  dispose(): void;
}

type KeysAndValues = Pick<KeyValueCache, 'keys' | 'values'>;

/**
 * @param batch rows of the first pass
 * @param contexts [batch, contextLen, dModel] each; the caller disposes them
 */
export function createDecodeState(
  forward: DecodeForward,
  batch: number,
  contexts: readonly AttentionContext[] | undefined,
): DecodeState {
  let rows = batch;
  let caches: readonly KeyValueCache[] | undefined;
  let current = contexts;
  /** log Σ exp z = z_0 + the cross-entropy of label 0; made once for as many rows. */
  let firstLabels: readonly [labels: tf.Tensor1D, weights: tf.Tensor1D] | undefined;
  /** The input that each row belongs to: rows of one input read the same context. */
  let inputs: readonly number[] = Array.from({ length: batch }, (_, i) => i);

  /** A pass may have written into the old caches in place: those that are still used stay. */
  function replaceCaches(fresh: readonly KeyValueCache[] | undefined): void {
    const kept = new Set(fresh?.map(({ keys }) => keys));
    disposeAll(caches?.filter(({ keys }) => !kept.has(keys)));
    caches = fresh;
  }
  function replaceContexts(fresh: readonly AttentionContext[] | undefined): void {
    if (current !== contexts) disposeAll(current);
    current = fresh;
  }

  function labelsOfRows(): readonly [labels: tf.Tensor1D, weights: tf.Tensor1D] {
    if (firstLabels?.[0].shape[0] !== rows) {
      tf.dispose([...(firstLabels ?? [])]);
      firstLabels = [tf.zeros([rows], 'int32'), tf.ones([rows])] as const;
    }
    return firstLabels;
  }

  return {
    async advance(tokenIds) {
      const labels = labelsOfRows();
      const pass = tf.tidy(() => {
        const ids = tf.tensor2d(tokenIds, [rows, tokenIds.length / rows], 'int32');
        const result = forward(ids, { contexts: current, caches });
        const losses = softmaxCrossEntropy(result.logits, ...labels);
        return {
          logits: result.logits,
          losses,
          caches: result.caches.map(({ keys, values, length }) => ({ keys, values, length })),
        };
      });
      replaceCaches(pass.caches);
      const [values, losses] = (await Promise.all([pass.logits.data(), pass.losses.data()])) as Float32Array[];
      tf.dispose([pass.logits, pass.losses]);
      const vocabSize = values.length / rows;
      const logSumExp = Float64Array.from(losses, (loss, row) => values[row * vocabSize] + loss);
      const broken = logSumExp.findIndex((value) => !Number.isFinite(value));
      if (broken !== -1)
        throw new RangeError(`decode: expected finite logits, got ${logSumExp[broken]} in row ${broken}`);
      return { vocabSize, values, logSumExp };
    },
    select(parents) {
      if (parents.length === rows && parents.every((parent, row) => parent === row)) return;
      const chosen = parents.map((parent) => inputs[parent]);
      const sameContexts = chosen.length === inputs.length && chosen.every((input, row) => input === inputs[row]);
      const indices = tf.tensor1d(Int32Array.from(parents), 'int32');
      replaceCaches(caches && gatherRows(caches, indices));
      // Beams that change places within an input leave the contexts where they are.
      if (!sameContexts) replaceContexts(current && gatherRows(current, indices));
      indices.dispose();
      rows = parents.length;
      inputs = chosen;
    },
    dispose() {
      replaceCaches(undefined);
      replaceContexts(undefined);
      tf.dispose([...(firstLabels ?? [])]);
      firstLabels = undefined;
    },
  };
}

function gatherRows<T extends KeysAndValues>(entries: readonly T[], indices: tf.Tensor1D): T[] {
  return entries.map((entry) => ({
    ...entry,
    keys: tf.gather(entry.keys, indices),
    values: tf.gather(entry.values, indices),
  }));
}

function disposeAll(entries: readonly KeysAndValues[] | undefined): void {
  for (const { keys, values } of entries ?? []) tf.dispose([keys, values]);
}
