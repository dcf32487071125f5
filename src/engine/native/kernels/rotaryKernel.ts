import type { FusedKernelFunctions } from '../../shared/index.js';
import { rotaryTables } from '../../shared/index.js';
import { expectRank, type KernelContext } from './kernelContext.js';

/** `RotaryPositions`, as src/kernels/rotaryPositions defines it. */
export function rotaryKernel({ addon, numbers, output }: KernelContext): FusedKernelFunctions<'RotaryPositions'> {
  const tables = rotaryTables();
  return {
    RotaryPositions: ({ x }, { numHeads, rotaryDims, startPosition, base, direction }) => {
      expectRank('RotaryPositions', 'x', x, 3);
      const [batch, seqLen, width] = x.shape;
      const half = rotaryDims / 2;
      const table = tables(seqLen, half, startPosition, base, direction);
      const result = output(x.shape);
      addon.rotary(batch, seqLen, numHeads, width / numHeads, half, numbers(x), numbers(result), table);
      return [result];
    },
  };
}
