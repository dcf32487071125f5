import { integers, sizeOf, viewAs, type WebgpuKernel } from './kernelContext.js';
import { flatProgram } from './rowProgram.js';

/** `RotaryPositions`: one shader in the place of a dozen, and no angles to upload. */
export const rotaryKernel: Record<string, WebgpuKernel> = {
  RotaryPositions: ({ inputs: { x }, backend, attrs }) => {
    const { numHeads, rotaryDims, startPosition, base, direction } = attrs as Record<string, number>;
    const [, seqLen, width] = x.shape;
    const size = sizeOf(x);
    const half = rotaryDims / 2;
    // The angles are computed here in float64, as in the reference: float32 powers are off by 1e-4 at far positions.
    const angles = new Float32Array(seqLen * rotaryDims);
    for (let t = 0; t < seqLen; t++) {
      for (let i = 0; i < half; i++) {
        const angle = Math.fround((startPosition + t) * base ** ((-2 * i) / rotaryDims));
        angles[t * rotaryDims + i] = Math.cos(angle);
        angles[t * rotaryDims + half + i] = Math.sin(angle) * direction;
      }
    }
    const turns = backend.makeTensorInfo([angles.length], 'float32', angles);
    const program = flatProgram({
      name: 'rotaryPositions',
      variableNames: ['x', 'turns'],
      size,
      uniforms: 'headDim : i32, half : i32, width : i32, seqLen : i32,',
      code: `
        let dim = index % uniforms.headDim;
        if (dim >= 2 * uniforms.half) {
          result[index] = x[index];
          return;
        }
        let position = (index / uniforms.width) % uniforms.seqLen;
        let isSecond = dim >= uniforms.half;
        let turn = position * 2 * uniforms.half + dim % uniforms.half;
        let other = x[index + select(uniforms.half, -uniforms.half, isSecond)];
        let sine = turns[turn + uniforms.half] * select(-1.0, 1.0, isSecond);
        result[index] = x[index] * turns[turn] + other * sine;
      `,
    });
    const flat = [viewAs(x, [size]), turns];
    const turned = backend.runWebGPUProgram(program, flat, 'float32', integers(width / numHeads, half, width, seqLen));
    backend.disposeData(turns.dataId);
    return { ...turned, shape: x.shape };
  },
};
