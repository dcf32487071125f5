import { floats, integers, rowsOf, type WebgpuKernels } from './kernelContext.js';
import { rowProgram } from './rowProgram.js';

const MEAN = `
  var part = 0.0;
  for (var c = first; c < end; c += THREADS) { part += x[start + c]; }
  let mean = rowSum(part) / f32(uniforms.width);
`;

/** `LayerNormalize` and `LayerNormalizeGrad`. A shader has one result, so the deviation is computed first. */
export const rowKernels: WebgpuKernels<'LayerNormalize' | 'LayerNormalizeGrad'> = {
  LayerNormalize: ({ x }, { epsilon }, backend) => {
    const { rows, width, matrix } = rowsOf(x);
    const deviation = rowProgram({
      name: 'inverseDeviation',
      variableNames: ['x'],
      rows,
      width,
      outputWidth: 1,
      uniforms: 'epsilon : f32,',
      code: `
        ${MEAN}
        part = 0.0;
        for (var c = first; c < end; c += THREADS) { let centred = x[start + c] - mean; part += centred * centred; }
        let variance = rowSum(part) / f32(uniforms.width);
        if (first == 0 && isRow) { result[row] = inverseSqrt(variance + uniforms.epsilon); }
      `,
    });
    const uniforms = [...integers(rows, width), ...floats(epsilon)];
    const inverseDeviation = backend.runWebGPUProgram(deviation, [matrix], 'float32', uniforms); // [tokens, 1]
    const program = rowProgram({
      name: 'layerNormalize',
      variableNames: ['x', 'inverseDeviation'],
      rows,
      width,
      code: `
        ${MEAN}
        for (var c = first; c < end; c += THREADS) {
          result[start + c] = (x[start + c] - mean) * inverseDeviation[row];
        }
      `,
    });
    const normalized = backend.runWebGPUProgram(program, [matrix, inverseDeviation], 'float32', integers(rows, width));
    return [{ ...normalized, shape: x.shape }, inverseDeviation];
  },
  LayerNormalizeGrad: ({ dOutput, output, inverseDeviation }, _attributes, backend) => {
    const { rows, width, matrix } = rowsOf(output);
    const program = rowProgram({
      name: 'layerNormalizeGradient',
      variableNames: ['dy', 'y', 'inverseDeviation'],
      rows,
      width,
      code: `
        var plain = 0.0;
        var weighted = 0.0;
        for (var c = first; c < end; c += THREADS) {
          plain += dy[start + c];
          weighted += dy[start + c] * y[start + c];
        }
        let mean = rowSum(plain) / f32(uniforms.width);
        let along = rowSum(weighted) / f32(uniforms.width);
        for (var c = first; c < end; c += THREADS) {
          result[start + c] = (dy[start + c] - mean - y[start + c] * along) * inverseDeviation[row];
        }
      `,
    });
    const inputs = [rowsOf(dOutput).matrix, matrix, inverseDeviation];
    const dx = backend.runWebGPUProgram(program, inputs, 'float32', integers(rows, width));
    return [{ ...dx, shape: output.shape }];
  },
};
