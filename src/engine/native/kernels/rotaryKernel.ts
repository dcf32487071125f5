import { expectRank, type KernelContext, type NativeKernel } from './kernelContext.js';

/** Tables kept; a model has one for training and one for each length it generates at. */
const KEPT_TABLES = 16;

/** Cosines and sines, made once for each setting. */
export function rotaryTables(): typeof rotaryTable {
  const tables = new Map<string, Float32Array>();
  return (...setting) => {
    const key = setting.join();
    const table = tables.get(key) ?? rotaryTable(...setting);
    if (!tables.has(key)) {
      if (tables.size === KEPT_TABLES) tables.clear();
      tables.set(key, table);
    }
    return table;
  };
}

/** `RotaryPositions`, as src/kernels/rotaryPositions defines it. */
export function rotaryKernel({ addon, numbers, output }: KernelContext): Record<string, NativeKernel> {
  const tables = rotaryTables();
  return {
    RotaryPositions: ({ x }, attributes) => {
      expectRank('RotaryPositions', 'x', x, 3);
      const { numHeads, rotaryDims, startPosition, base, direction } = attributes as Record<string, number>;
      const [batch, seqLen, width] = x.shape;
      const half = rotaryDims / 2;
      const table = tables(seqLen, half, startPosition, base, direction);
      const result = output(x.shape);
      addon.rotary(batch, seqLen, numHeads, width / numHeads, half, numbers(x), numbers(result), table);
      return result;
    },
  };
}

/** [2, seqLen, half]: cosines and, times the direction, sines of (startPosition + t) · base^(−i/half) in float32. */
export function rotaryTable(
  seqLen: number,
  half: number,
  start: number,
  base: number,
  direction: number,
): Float32Array {
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
