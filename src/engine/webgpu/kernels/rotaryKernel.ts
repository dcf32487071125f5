import type { tf } from '../../tf.js';
import type { WebgpuBackend } from '../backend.js';
import { floats, integers, sizeOf, viewAs, type WebgpuKernel } from './kernelContext.js';
import { flatProgram } from './rowProgram.js';

/** The cosines and sines of the last call; those of all layers of a pass, and of all passes in training, are the same. */
let kept: { readonly key: string; readonly turns: tf.TensorInfo } | undefined;

/** `RotaryPositions`: one shader in the place of a dozen. */
export const rotaryKernel: Record<string, WebgpuKernel> = {
  RotaryPositions: ({ inputs: { x }, backend, attrs }) => {
    const { numHeads, rotaryDims, startPosition, base, direction } = attrs as Record<string, number>;
    const [, seqLen, width] = x.shape;
    const size = sizeOf(x);
    const half = rotaryDims / 2;
    const key = [seqLen, rotaryDims, startPosition, base].join(' ');
    if (kept?.key !== key) {
      if (kept !== undefined) backend.disposeData(kept.turns.dataId);
      kept = { key, turns: turnsOf(backend, seqLen, rotaryDims, startPosition, base) };
    }
    const program = flatProgram({
      name: 'rotaryPositions',
      variableNames: ['x', 'turns'],
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
        let turn = position * 2 * uniforms.half + dim % uniforms.half;
        let other = x[index + select(uniforms.half, -uniforms.half, isSecond)];
        let sine = turns[turn + uniforms.half] * select(-uniforms.direction, uniforms.direction, isSecond);
        result[index] = x[index] * turns[turn] + other * sine;
      `,
    });
    const uniforms = [...integers(width / numHeads, half, width, seqLen), ...floats(direction)];
    const turned = backend.runWebGPUProgram(program, [viewAs(x, [size]), kept.turns], 'float32', uniforms);
    return { ...turned, shape: x.shape };
  },
};

/** Of every position the cosines, then the sines; from the CPU, since those of a GPU may be off by 1e-4. */
function turnsOf(
  backend: WebgpuBackend,
  seqLen: number,
  rotaryDims: number,
  startPosition: number,
  base: number,
): tf.TensorInfo {
  const half = rotaryDims / 2;
  const turns = new Float32Array(seqLen * rotaryDims);
  for (let t = 0; t < seqLen; t++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround((startPosition + t) * base ** ((-2 * i) / rotaryDims));
      turns[t * rotaryDims + i] = Math.cos(angle);
      turns[t * rotaryDims + half + i] = Math.sin(angle);
    }
  }
  return backend.makeTensorInfo([turns.length], 'float32', turns);
}
