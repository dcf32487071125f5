import { integers, rowsOf, sizeOf, viewAs, type WebgpuKernels } from './kernelContext.js';
import { flatProgram, rowProgram } from './rowProgram.js';

/** `SoftmaxCrossEntropy` and `SoftmaxCrossEntropyGrad`: nothing the size of the logits is stored but their gradient. */
export const crossEntropyKernels: WebgpuKernels<'SoftmaxCrossEntropy' | 'SoftmaxCrossEntropyGrad'> = {
  SoftmaxCrossEntropy: ({ logits, labels, weights }, _attributes, backend) => {
    const { rows, width } = rowsOf(logits);
    const sums = rowProgram({
      name: 'logSumExp',
      variableNames: ['logits'],
      rows,
      width,
      outputWidth: 1,
      code: `
        var share = -3.4e38;
        for (var c = first; c < end; c += THREADS) { share = max(share, logits[start + c]); }
        let largest = rowMax(share);
        var part = 0.0;
        for (var c = first; c < end; c += THREADS) { part += exp(logits[start + c] - largest); }
        let total = rowSum(part);
        if (first == 0 && isRow) { result[row] = largest + log(total); }
      `,
    });
    const logSumExp = backend.runWebGPUProgram(sums, [logits], 'float32', integers(rows, width));
    const losses = flatProgram({
      name: 'crossEntropy',
      variableNames: ['logits', 'labels', 'weights', 'logSumExp'],
      size: rows,
      uniforms: 'width : i32,',
      code: `
        let picked = logits[index * uniforms.width + labels[index]];
        result[index] = weights[index] * (logSumExp[index] - picked);
      `,
    });
    const inputs = [logits, labels, weights, logSumExp];
    return [backend.runWebGPUProgram(losses, inputs, 'float32', integers(width)), viewAs(logSumExp, [rows])];
  },
  SoftmaxCrossEntropyGrad: ({ dLosses, logits, labels, weights, logSumExp }, _attributes, backend) => {
    const size = sizeOf(logits);
    const program = flatProgram({
      name: 'crossEntropyGradient',
      variableNames: ['dLosses', 'logits', 'labels', 'weights', 'logSumExp'],
      size,
      uniforms: 'width : i32,',
      code: `
        let row = index / uniforms.width;
        let hit = select(0.0, 1.0, index % uniforms.width == labels[row]);
        result[index] = (exp(logits[index] - logSumExp[row]) - hit) * weights[row] * dLosses[row];
      `,
    });
    const inputs = [dLosses, viewAs(logits, [size]), labels, weights, logSumExp];
    const dLogits = backend.runWebGPUProgram(program, inputs, 'float32', integers(logits.shape[1]));
    return [{ ...dLogits, shape: logits.shape }];
  },
};
