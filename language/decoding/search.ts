/** @file What a way of decoding is, in numbers alone: the engine's part is in decodeState.ts. */

/** What the last pass says of the next token of each of its rows. */
export interface StepLogits {
  readonly vocabSize: number;
  /** [rows · vocabSize] */
  readonly values: Float32Array;
  /** log Σ exp of each row's logits, [rows] */
  readonly logSumExp: ArrayLike<number>;
}

/** The rows of the next pass: each goes on from a row of the last one with one more token. No row: the end. */
export interface NextRows {
  readonly parents: readonly number[];
  readonly tokenIds: readonly number[];
}

/** A finished result. */
export interface Hypothesis {
  /** Without prompt and stop token. */
  readonly tokenIds: readonly number[];
  /** Σ log p of the tokens, and of the stop token where there is one: the model's own, in nats, whatever the method. */
  readonly logProb: number;
  /** By a stop token, not by its length. */
  readonly ended: boolean;
}

/** A way of decoding a batch. The first pass has one row an input; of later ones the search says what their rows are. */
export interface Search {
  next(logits: StepLogits): NextRows;
  /** Per input: what was asked for, first things first. */
  results(): Hypothesis[][];
}

/** The logits of one row, [vocabSize]. */
export function rowLogits({ values, vocabSize }: StepLogits, row: number): Float32Array {
  return values.subarray(row * vocabSize, (row + 1) * vocabSize);
}
