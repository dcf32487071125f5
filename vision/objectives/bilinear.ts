/** A point between two neighbours on a side, as a share of the way from the first to the second. */
export interface BilinearSample {
  readonly first: number;
  readonly second: number;
  readonly share: number;
}

/** Points at the centres of `to` equal parts of a stretch of a side with `from` cells; outside of its first and last centre, these. */
export function bilinearSamples(start: number, length: number, from: number, to: number): BilinearSample[] {
  return Array.from({ length: to }, (_, i) => {
    const point = Math.min(from - 1, Math.max(0, (start + ((i + 0.5) / to) * length) * from - 0.5));
    const first = Math.floor(point);
    return { first, second: Math.min(from - 1, first + 1), share: point - first };
  });
}

/**
 * Bilinear interpolation of a grid as a matrix: what a square grid is at the cells of another one over the same square.
 *
 * @returns [to², from²]
 */
export function gridInterpolation(from: number, to: number): Float32Array {
  const lines = bilinearSamples(0, 1, from, to);
  const matrix = new Float32Array(to ** 2 * from ** 2);
  for (const [row, y] of lines.entries()) {
    for (const [column, x] of lines.entries()) {
      const start = (row * to + column) * from ** 2;
      for (const [line, vertical] of weights(y)) {
        for (const [cell, horizontal] of weights(x)) matrix[start + line * from + cell] += vertical * horizontal;
      }
    }
  }
  return matrix;
}

function weights({ first, second, share }: BilinearSample): readonly (readonly [number, number])[] {
  return [
    [first, 1 - share],
    [second, share],
  ];
}
