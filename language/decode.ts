import { tf } from '#src/engine';
import type { KeyValueCache } from '#src/tokenformer';

/** One pass over new tokens, given the cached keys and values of the tokens before them. */
export type DecodeForward = (
  /** [batch, newTokens], int32 */
  tokenIds: tf.Tensor2D,
  caches: readonly KeyValueCache[] | undefined,
) => { /** [batch · newTokens, vocabSize] */ logits: tf.Tensor2D; caches: readonly KeyValueCache[] };

export interface DecodeOptions {
  readonly batch: number;
  /** Token ids that every row starts with; at least one. */
  readonly prompt: ArrayLike<number>;
  readonly maxNewTokens: number;
  /** A row ends when it chooses this id; the id itself is not returned. */
  readonly stopId: number;
  /** The next id of a row from its logits, [vocabSize]. */
  choose(logits: Float32Array, row: number): number;
}

/**
 * Generates token by token with a key-value cache: every pass computes only the newest position. Equal to running the
 * whole sequence again each time (a test holds it to that).
 *
 * @returns the new ids of each row, without prompt and stop id
 */
export async function decode(
  forward: DecodeForward,
  { batch, prompt, maxNewTokens, stopId, choose }: DecodeOptions,
): Promise<number[][]> {
  const rows: number[][] = Array.from({ length: batch }, () => []);
  const ended = new Array<boolean>(batch).fill(false);
  let input = Int32Array.from({ length: batch * prompt.length }, (_, i) => prompt[i % prompt.length]);
  let caches: readonly KeyValueCache[] | undefined;
  for (let position = 0; position < maxNewTokens && ended.includes(false); position++) {
    const newTokens = input.length / batch;
    const result = tf.tidy(() => {
      const { logits, caches: newCaches } = forward(tf.tensor2d(input, [batch, newTokens], 'int32'), caches);
      const perRow = tf.reshape(logits, [batch, newTokens, -1]);
      const last = tf.slice(perRow, [0, newTokens - 1, 0], [-1, 1, -1]); // [batch, 1, vocabSize]
      return {
        last,
        caches: newCaches.map(({ keys, values }) => ({ keys: tf.clone(keys), values: tf.clone(values) })),
      };
    });
    disposeCaches(caches);
    caches = result.caches;
    const values = (await result.last.data()) as Float32Array;
    const vocabSize = values.length / batch;
    input = new Int32Array(batch).fill(stopId);
    for (let row = 0; row < batch; row++) {
      if (ended[row]) continue;
      const chosen = choose(values.subarray(row * vocabSize, (row + 1) * vocabSize), row);
      if (chosen === stopId) ended[row] = true;
      else rows[row].push(chosen);
      input[row] = chosen;
    }
    result.last.dispose();
  }
  disposeCaches(caches);
  return rows;
}

function disposeCaches(caches: readonly KeyValueCache[] | undefined): void {
  for (const { keys, values } of caches ?? []) tf.dispose([keys, values]);
}
