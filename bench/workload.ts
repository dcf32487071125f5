/** @file Messages between the driver and the sides of a comparison: one JSON object per line. */

/** A matrix product C = A B, `batch` of them; a transposed operand is stored the other way round. */
export interface ProductShape {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly depth: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** What a side is asked to time. `folder` holds a model as `writeBenchModel` writes it. */
export type Workload =
  | ({ readonly kind: 'product' } & ProductShape)
  /** Forward and backward of one Pattention, width → width. */
  | { readonly kind: 'pattention'; readonly tokens: number; readonly width: number; readonly numParamTokens: number }
  | { readonly kind: 'step'; readonly folder: string }
  | { readonly kind: 'decode'; readonly folder: string; readonly promptLen: number; readonly newTokens: number };

/** A side keeps what it made for a workload, so that a repeated request continues it. */
export interface Request {
  readonly workload: Workload;
  /** The workload is repeated until so many seconds have passed, once at least. */
  readonly minSeconds: number;
}

export interface Measurement {
  /** Mean of the repetitions. */
  readonly seconds: number;
  /** Of every training step that was taken for it. */
  readonly losses?: readonly number[];
  /** log p of what decoding wrote, in nats. */
  readonly logProb?: number;
}

/** The first line of a side: its versions, or why it cannot take part and what to install. */
export type Hello = { readonly versions: Readonly<Record<string, string>> } | { readonly problem: string };
