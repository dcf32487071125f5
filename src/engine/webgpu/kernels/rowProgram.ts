import type { Program } from '../backend.js';

/**
 * A shader with a workgroup per row of a matrix. Its code reads as one thread of `THREADS`: it walks its share of the row
 * by `for (var c = first; c < end; c += THREADS)`, whose numbers lie at `start + c`, and calls `rowSum` and `rowMax`, which
 * give all threads the same number. Their order of adding is fixed, so that equal input gives equal bits.
 */
export function rowProgram(options: {
  readonly name: string;
  readonly variableNames: readonly string[];
  readonly rows: number;
  readonly width: number;
  readonly outputWidth?: number;
  /** Declarations of uniforms beyond `rows` and `width`, whose values come first. */
  readonly uniforms?: string;
  /** Functions that the code calls. */
  readonly functions?: string;
  readonly code: string;
}): Program {
  const { name, variableNames, rows, width, outputWidth = width, uniforms = '', functions = '', code } = options;
  const threads = width <= 128 ? 64 : 256;
  return {
    variableNames,
    outputShape: [rows, outputWidth],
    workgroupSize: [threads, 1, 1],
    dispatchLayout: { x: [0, 1] },
    dispatch: [rows, 1, 1],
    uniforms: `rows : i32, width : i32, ${uniforms}`,
    shaderKey: name,
    getUserCode: () => `
      const THREADS = ${threads};
      var<workgroup> shares : array<f32, THREADS>;
      ${reduction('rowSum', 'a + b', threads)}
      ${reduction('rowMax', 'max(a, b)', threads)}
      ${functions}
      fn main(index : i32) {
        let row = index / THREADS;
        let first = i32(localIndex);
        let start = row * uniforms.width;
        // All threads must reach a barrier: those of rows beyond the last walk through with nothing to do.
        let isRow = row < uniforms.rows;
        let end = select(0, uniforms.width, isRow);
        ${code}
      }
    `,
  };
}

function reduction(name: string, operation: string, threads: number): string {
  return `
    fn ${name}(share : f32) -> f32 {
      shares[localIndex] = share;
      workgroupBarrier();
      for (var half = ${threads / 2}u; half > 0u; half = half / 2u) {
        if (localIndex < half) {
          let a = shares[localIndex];
          let b = shares[localIndex + half];
          shares[localIndex] = ${operation};
        }
        workgroupBarrier();
      }
      let whole = shares[0];
      workgroupBarrier();
      return whole;
    }
  `;
}

/** A shader with a thread per output, whose code gets `index`, less than `uniforms.size`. */
export function flatProgram(options: {
  readonly name: string;
  readonly variableNames: readonly string[];
  readonly size: number;
  readonly uniforms?: string;
  readonly code: string;
}): Program {
  const { name, variableNames, size, uniforms = '', code } = options;
  return {
    variableNames,
    outputShape: [size],
    workgroupSize: [64, 1, 1],
    dispatchLayout: { x: [0] },
    dispatch: [Math.ceil(size / 64), 1, 1],
    size: true,
    uniforms,
    shaderKey: name,
    getUserCode: () => `
      fn main(index : i32) {
        if (index < uniforms.size) {
          ${code}
        }
      }
    `,
  };
}
