import type { tf } from '../../shared/index.js';
import type { WebgpuBackend } from '../backend.js';
import { floats, integers, release, sizeOf, viewAs, type WebgpuKernels } from './kernelContext.js';
import { flatProgram, rowProgram } from './rowProgram.js';

/** Numbers that one workgroup of `SquaredNorm` adds up. */
const PIECE = 4096;

/** `AdamWUpdate` and `SquaredNorm`, three shaders and one per parameter. */
export const optimizerKernels: WebgpuKernels<'AdamWUpdate' | 'SquaredNorm'> = {
  AdamWUpdate: (inputs, attributes, backend) => {
    const { learningRate, beta1, beta2, epsilon, step, gradientScale, weightDecays } = attributes;
    for (const [i, weightDecay] of weightDecays.entries()) {
      const [param, gradient, m, v] = [inputs.params[i], inputs.gradients[i], inputs.m[i], inputs.v[i]];
      if (sizeOf(param) === 0) continue;
      const moment = 'scale : f32, kept : f32, added : f32,';
      writeInto(
        backend,
        m,
        { gradient },
        {
          name: 'adamM',
          uniforms: moment,
          values: [gradientScale, beta1, 1 - beta1],
          code: `
          let g = gradient[index] * uniforms.scale;
          result[index] = result[index] * uniforms.kept + g * uniforms.added;
        `,
        },
      );
      writeInto(
        backend,
        v,
        { gradient },
        {
          name: 'adamV',
          uniforms: moment,
          values: [gradientScale, beta2, 1 - beta2],
          code: `
          let g = gradient[index] * uniforms.scale;
          result[index] = result[index] * uniforms.kept + g * g * uniforms.added;
        `,
        },
      );
      const rate = learningRate / (1 - beta1 ** step);
      writeInto(
        backend,
        param,
        { m, v },
        {
          name: 'adamW',
          uniforms: 'shrink : f32, rate : f32, correction : f32, epsilon : f32,',
          values: [1 - learningRate * weightDecay, rate, 1 - beta2 ** step, epsilon],
          code: `
          let denominator = sqrt(v[index] / uniforms.correction) + uniforms.epsilon;
          result[index] = result[index] * uniforms.shrink - m[index] / denominator * uniforms.rate;
        `,
        },
      );
    }
    return [];
  },
  SquaredNorm: (inputs, _attributes, backend) => {
    const tensors = inputs.tensors.filter((tensor) => sizeOf(tensor) > 0);
    const pieces = tensors.map((tensor) => Math.ceil(sizeOf(tensor) / PIECE));
    const total = pieces.reduce((sum, count) => sum + count, 0);
    if (total === 0) return [backend.makeTensorInfo([], 'float32', new Float32Array(1))];
    const sums = backend.makeTensorInfo([total, 1], 'float32');
    let offset = 0;
    for (const [i, tensor] of tensors.entries()) {
      const size = sizeOf(tensor);
      const program = sumProgram('squaredNorm', 'x[start + c] * x[start + c]', pieces[i]);
      const uniforms = integers(pieces[i], PIECE, size, offset);
      backend.runWebGPUProgram(program, [viewAs(tensor, [size])], 'float32', uniforms, sums);
      offset += pieces[i];
    }
    const whole = sumProgram('sum', 'x[start + c]', 1);
    const norm = backend.runWebGPUProgram(whole, [viewAs(sums, [total])], 'float32', integers(1, total, total, 0));
    release(backend, sums);
    return [{ ...norm, shape: [] }];
  },
};

/** Adds up a piece of x per workgroup, into `result` from `offset` on. */
function sumProgram(name: string, term: string, rows: number): ReturnType<typeof rowProgram> {
  return rowProgram({
    name,
    variableNames: ['x'],
    rows,
    width: PIECE,
    outputWidth: 1,
    uniforms: 'available : i32, offset : i32,',
    code: `
      var part = 0.0;
      for (var c = first; c < end && start + c < uniforms.available; c += THREADS) { part += ${term}; }
      let sum = rowSum(part);
      if (first == 0 && isRow) { result[uniforms.offset + row] = sum; }
    `,
  });
}

/** Runs a shader that reads and writes `target` in place. */
function writeInto(
  backend: WebgpuBackend,
  target: tf.TensorInfo,
  inputs: Record<string, tf.TensorInfo>,
  { name, uniforms, values, code }: { name: string; uniforms: string; values: readonly number[]; code: string },
): void {
  const size = sizeOf(target);
  const program = flatProgram({ name, variableNames: Object.keys(inputs), size, uniforms, code });
  const flat = Object.values(inputs).map((input) => viewAs(input, [size]));
  backend.runWebGPUProgram(program, flat, 'float32', floats(...values), viewAs(target, [size]));
  // The CPU's copy of an earlier read is stale.
  backend.tensorMap.get(target.dataId).values = null;
}
