import type { FusedKernelFunctions } from '../../shared/index.js';
import { encodeRotary } from './attention.js';
import { byteSize, expectRank, type KernelContext } from './context.js';

/** `RotaryPositions`, as src/kernels/rotaryPositions defines it. */
export function rotaryKernel(context: KernelContext): FusedKernelFunctions<'RotaryPositions'> {
  return {
    RotaryPositions: ({ x }, { numHeads, rotaryDims, startPosition, base, direction }) => {
      expectRank('RotaryPositions', 'x', x, 3);
      const [batch, seqLen, width] = x.shape;
      const result = context.output(x.shape);
      const address = context.address(result);
      context.commands.copy(address, context.address(x), byteSize(x));
      encodeRotary(context, {
        ...{ type: 'float32', x: { address, rowStride: width, batchStride: seqLen * width }, batch, seqLen, numHeads },
        ...{ headDim: width / numHeads, rotaryDims, base, startPosition, direction },
      });
      return [result];
    },
  };
}
