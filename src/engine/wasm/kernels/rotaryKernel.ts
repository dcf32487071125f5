import type { KernelContext, WasmKernel } from './kernelContext.js';

/** Tables kept; a model has one for training and one for each length it generates at. */
const KEPT_TABLES = 16;

/** `RotaryPositions`, as src/kernels/rotaryPositions defines it; cosines and sines are computed once per setting. */
export function rotaryKernel(context: KernelContext): Record<string, WasmKernel> {
  const tables = new Map<string, Float32Array>();
  return {
    RotaryPositions: ({ x }, { numHeads, rotaryDims, startPosition, base, direction }) => {
      const [batch, seqLen, width] = x.shape;
      const half = (rotaryDims as number) / 2;
      const key = [seqLen, rotaryDims, startPosition, base, direction].join();
      const table =
        tables.get(key) ?? rotaryTable(seqLen, half, startPosition as number, base as number, direction as number);
      if (!tables.has(key)) {
        if (tables.size === KEPT_TABLES) tables.clear();
        tables.set(key, table);
      }
      const output = context.output(x.shape);
      context.scratch(table.byteLength, (cosines) => {
        context.heap(cosines, table.length).set(table);
        const sines = cosines + table.byteLength / 2;
        const headDim = width / (numHeads as number);
        const sizes = [batch, seqLen, numHeads as number, headDim, half];
        context.module.rotaryPositions(context.address(x), context.address(output), cosines, sines, ...sizes);
      });
      return output;
    },
  };
}

/** [2, seqLen, half]: cosines and, times the direction, sines of (startPosition + t) · base^(−i/half) in float32. */
function rotaryTable(seqLen: number, half: number, start: number, base: number, direction: number): Float32Array {
  const count = seqLen * half;
  const table = new Float32Array(2 * count);
  for (let t = 0; t < seqLen; t++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround((start + t) * base ** (-i / half));
      table[t * half + i] = Math.cos(angle);
      table[count + t * half + i] = direction * Math.sin(angle);
    }
  }
  return table;
}
