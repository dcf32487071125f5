/**
 * Numbers in ordinary memory, as every function of this package gives them: no tensor of an engine has to be freed.
 *
 * @example
 * ```ts
 * const { shape, values } = await model.encode(['photo.jpg']); // shape [1, 1, 64, 96]
 * ```
 */
export interface TensorData {
  /** Sizes of the axes, outermost first. */
  readonly shape: readonly number[];
  /** Row-major; as many as the product of `shape`. */
  readonly values: Float32Array;
}
