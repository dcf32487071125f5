/** @file The interface of a decoding search, in numbers only; decodeState.ts is the engine's part. */

/** Logits of the next token of each row, from the last pass. */
export interface StepLogits {
  readonly vocabSize: number;
  /** [rows · vocabSize] */
  readonly values: Float32Array;
  /** log Σ exp of each row's logits, [rows] */
  readonly logSumExp: ArrayLike<number>;
}

/** The rows of the next pass: each extends a row of the last one by a token. No row: the end. */
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
  /** True when a stop token ended it, false for maxTokens. */
  readonly ended: boolean;
}

/** A way of decoding a batch. The first pass has one row per input; the search chooses the rows of later ones. */
export interface Search {
  next(logits: StepLogits): NextRows;
  /** The tokens so far of the result of each input that would come first by now. */
  leading(): (readonly number[])[];
  /** The results of each input, best or first drawn first. */
  results(): Hypothesis[][];
}

/** The logits of one row, [vocabSize]. */
export function rowLogits({ values, vocabSize }: StepLogits, row: number): Float32Array {
  return values.subarray(row * vocabSize, (row + 1) * vocabSize);
}
