import { IGNORE_INDEX } from '#src/kernels';

/** Sequences side by side, for next-token prediction. */
export interface TextBatch {
  /** [batch * seqLen], row by row; padded with the end-of-text id. */
  readonly tokenIds: Int32Array;
  /** [batch * seqLen]: the token that follows each of tokenIds, or IGNORE_INDEX at padding. */
  readonly labels: Int32Array;
  readonly batch: number;
  /** Positions of a row of this batch; at most the dataset's seqLen. */
  readonly seqLen: number;
  /** Tokens of each row; the rest is padding. */
  readonly lengths: Int32Array;
  /** Labels that are not IGNORE_INDEX. */
  readonly numTokens: number;
}

/**
 * Rows of tokens, each of at least 2, made into inputs (all but the last token) and labels (all but the first).
 *
 * @param seqLen width of the batch; no row predicts more
 */
export function textBatch(rows: readonly Int32Array[], seqLen: number, paddingId: number): TextBatch {
  const tokenIds = new Int32Array(rows.length * seqLen).fill(paddingId); // [batch * seqLen]
  const labels = new Int32Array(rows.length * seqLen).fill(IGNORE_INDEX); // [batch * seqLen]
  const lengths = new Int32Array(rows.length);
  let numTokens = 0;
  for (const [i, row] of rows.entries()) {
    tokenIds.set(row.subarray(0, -1), i * seqLen);
    labels.set(row.subarray(1), i * seqLen);
    lengths[i] = row.length - 1;
    numTokens += lengths[i];
  }
  return { tokenIds, labels, batch: rows.length, seqLen, lengths, numTokens };
}
