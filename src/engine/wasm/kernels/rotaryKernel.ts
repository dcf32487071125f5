import type { FusedKernelFunctions } from '../../shared/index.js';
import { rotaryTables } from '../../shared/index.js';
import type { KernelContext } from './kernelContext.js';

/** `RotaryPositions`, as src/kernels/rotaryPositions defines it. */
export function rotaryKernel(context: KernelContext): FusedKernelFunctions<'RotaryPositions'> {
  const tables = rotaryTables();
  return {
    RotaryPositions: ({ x }, { numHeads, rotaryDims, startPosition, base, direction }) => {
      const [batch, seqLen, width] = x.shape;
      const half = rotaryDims / 2;
      const table = tables(seqLen, half, startPosition, base, direction);
      const output = context.output(x.shape);
      context.scratch(table.byteLength, (cosines) => {
        context.heap(cosines, table.length).set(table);
        const sines = cosines + table.byteLength / 2;
        const sizes = [batch, seqLen, numHeads, width / numHeads, half];
        context.module.rotaryPositions(context.address(x), context.address(output), cosines, sines, ...sizes);
      });
      return [output];
    },
  };
}
