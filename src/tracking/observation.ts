/** What TensorBoard shows of a run beside its numbers, by tag. */
export interface Observation {
  /** Finite values, at least one. */
  readonly histograms?: Readonly<Record<string, ArrayLike<number>>>;
  readonly images?: Readonly<Record<string, ObservedImage>>;
  /** Markdown. */
  readonly texts?: Readonly<Record<string, string>>;
}

export interface ObservedImage {
  readonly png: Uint8Array;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}
