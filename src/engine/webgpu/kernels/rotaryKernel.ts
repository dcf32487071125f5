import type { tf } from '../../shared/index.js';
import { rotaryTable } from '../../shared/index.js';
import { floats, integers, sizeOf, viewAs, type WebgpuKernels } from './kernelContext.js';
import { flatProgram } from './rowProgram.js';

/** The cosines and sines of the last call; those of all layers of a pass, and of all passes in training, are the same. */
let kept: { readonly key: string; readonly table: tf.TensorInfo } | undefined;

/** `RotaryPositions`: one shader in the place of a dozen. The table is the CPU's, since a GPU's sines may be off by 1e-4. */
export const rotaryKernel: WebgpuKernels<'RotaryPositions'> = {
  RotaryPositions: ({ x }, { numHeads, rotaryDims, startPosition, base, direction }, backend) => {
    const [, seqLen, width] = x.shape;
    const size = sizeOf(x);
    const half = rotaryDims / 2;
    const key = [seqLen, rotaryDims, startPosition, base].join(' ');
    if (kept?.key !== key) {
      if (kept !== undefined) backend.disposeData(kept.table.dataId);
      const numbers = rotaryTable(seqLen, half, startPosition, base, 1);
      kept = { key, table: backend.makeTensorInfo([numbers.length], 'float32', numbers) };
    }
    const program = flatProgram({
      name: 'rotaryPositions',
      variableNames: ['x', 'table'],
      size,
      uniforms: 'headDim : i32, half : i32, width : i32, seqLen : i32, direction : f32,',
      code: `
        let dim = index % uniforms.headDim;
        if (dim >= 2 * uniforms.half) {
          result[index] = x[index];
          return;
        }
        let position = (index / uniforms.width) % uniforms.seqLen;
        let isSecond = dim >= uniforms.half;
        let place = position * uniforms.half + dim % uniforms.half;
        let other = x[index + select(uniforms.half, -uniforms.half, isSecond)];
        let sign = select(-uniforms.direction, uniforms.direction, isSecond);
        let sine = table[place + uniforms.seqLen * uniforms.half] * sign;
        result[index] = x[index] * table[place] + other * sine;
      `,
    });
    const uniforms = [...integers(width / numHeads, half, width, seqLen), ...floats(direction)];
    const rotated = backend.runWebGPUProgram(program, [viewAs(x, [size]), kept.table], 'float32', uniforms);
    return [{ ...rotated, shape: x.shape }];
  },
};
