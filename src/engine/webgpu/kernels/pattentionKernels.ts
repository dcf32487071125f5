import type { KernelAttributes, Tensors, tf } from '../../shared/index.js';
import type { WebgpuBackend } from '../backend.js';
import type { NORM_ACTIVATIONS } from './fusedKernels.js';
import { geluSource } from './geluSource.js';
import { floats, integers, matMul, release, rowsOf, type WebgpuKernels } from './kernelContext.js';
import { rowProgram } from './rowProgram.js';

type NormActivation = (typeof NORM_ACTIVATIONS)[number];

/** The scale τ/(‖·‖ + ε) of a row, 0 for a row of zeros. */
const SCALE = `
  fn scaleOf(norm : f32) -> f32 {
    let q = norm + uniforms.epsilon;
    return select(uniforms.tau / q, 0.0, q == 0.0);
  }
`;

/** Σ exp(a − max), with the maximum. */
const SOFTMAX = `
  var share = -3.4e38;
  for (var c = first; c < end; c += THREADS) { share = max(share, scores[start + c]); }
  let largest = rowMax(share);
  var part = 0.0;
  for (var c = first; c < end; c += THREADS) { part += exp(scores[start + c] - largest); }
  let total = rowSum(part);
`;

/** S = Θ(A), row by row; definitions in src/kernels/pattention. */
const WEIGHTS: Record<NormActivation, string> = {
  l2NormGelu: `
    var part = 0.0;
    for (var c = first; c < end; c += THREADS) { let a = scores[start + c]; part += a * a; }
    let scale = scaleOf(sqrt(rowSum(part)));
    for (var c = first; c < end; c += THREADS) { result[start + c] = geluOf(scores[start + c] * scale); }
  `,
  geluL2Norm: `
    var part = 0.0;
    for (var c = first; c < end; c += THREADS) { let a = geluOf(scores[start + c]); part += a * a; }
    let scale = scaleOf(sqrt(rowSum(part)));
    for (var c = first; c < end; c += THREADS) { result[start + c] = geluOf(scores[start + c]) * scale; }
  `,
  softmax: `
    ${SOFTMAX}
    for (var c = first; c < end; c += THREADS) {
      result[start + c] = uniforms.tau * exp(scores[start + c] - largest) / total;
    }
  `,
};

/** dA from dS; the two orders of norm and activation differ in `a`, `ofDScaled` and `ofDa`. */
function normGradient(a: string, dScaled: string, dA: string): string {
  return `
    var part = 0.0;
    for (var c = first; c < end; c += THREADS) { let a = ${a}; part += a * a; }
    let norm = sqrt(rowSum(part));
    let q = norm + uniforms.epsilon;
    let scale = scaleOf(norm);
    part = 0.0;
    for (var c = first; c < end; c += THREADS) { let a = ${a}; part += a * ${dScaled}; }
    let inner = rowSum(part);
    let along = select(scale * inner / (q * norm), 0.0, q * norm == 0.0);
    for (var c = first; c < end; c += THREADS) {
      let a = ${a};
      let da = scale * ${dScaled} - a * along;
      result[start + c] = ${dA};
    }
  `;
}

const WEIGHTS_GRADIENT: Record<NormActivation, string> = {
  l2NormGelu: normGradient('scores[start + c]', '(dWeights[start + c] * geluSlope(a * scale))', 'da'),
  geluL2Norm: normGradient('geluOf(scores[start + c])', 'dWeights[start + c]', 'da * geluSlope(scores[start + c])'),
  softmax: `
    ${SOFTMAX}
    part = 0.0;
    for (var c = first; c < end; c += THREADS) {
      part += exp(scores[start + c] - largest) / total * dWeights[start + c];
    }
    let inner = rowSum(part);
    for (var c = first; c < end; c += THREADS) {
      let p = exp(scores[start + c] - largest) / total;
      result[start + c] = uniforms.tau * p * (dWeights[start + c] - inner);
    }
  `,
};

/** `Pattention` and `PattentionGrad`: TensorFlow.js' products, with everything between them in one shader. */
export const pattentionKernels: WebgpuKernels<'Pattention' | 'PattentionGrad'> = {
  Pattention: ({ x, keyParamTokens, valueParamTokens }, attributes, backend) => {
    const scores = matMul(backend, x, keyParamTokens, false, true); // [tokens, numParamTokens]
    const weights = runRows(backend, 'parameterWeights', WEIGHTS, { scores }, attributes);
    const result = matMul(backend, weights, valueParamTokens); // [tokens, dOut]
    release(backend, weights);
    return [result, scores];
  },
  PattentionGrad: ({ dOutput, x, keyParamTokens, valueParamTokens, scores }, attributes, backend) => {
    const dWeights = matMul(backend, dOutput, valueParamTokens, false, true); // [tokens, numParamTokens]
    const dScores = runRows(backend, 'parameterWeightsGradient', WEIGHTS_GRADIENT, { scores, dWeights }, attributes);
    const gradients: tf.TensorInfo[] = [];
    if (attributes.wantInput) gradients.push(matMul(backend, dScores, keyParamTokens)); // [tokens, dIn]
    if (attributes.wantParams) {
      const weights = runRows(backend, 'parameterWeights', WEIGHTS, { scores }, attributes);
      gradients.push(matMul(backend, dScores, x, true, false)); // [numParamTokens, dIn]
      gradients.push(matMul(backend, weights, dOutput, true, false)); // [numParamTokens, dOut]
      release(backend, weights);
    }
    release(backend, dWeights, dScores);
    return gradients;
  },
};

function runRows(
  backend: WebgpuBackend,
  name: string,
  code: Record<NormActivation, string>,
  inputs: Tensors,
  { normActivation, gelu, tau, epsilon }: KernelAttributes<'Pattention'>,
): tf.TensorInfo {
  const { rows, width } = rowsOf(inputs.scores);
  const program = rowProgram({
    name: `${name}_${normActivation}_${gelu}`,
    variableNames: Object.keys(inputs),
    rows,
    width,
    uniforms: 'tau : f32, epsilon : f32,',
    functions: geluSource(gelu) + SCALE,
    code: code[normActivation as NormActivation], // others are declined
  });
  const uniforms = [...integers(rows, width), ...floats(tau, epsilon)];
  return backend.runWebGPUProgram(program, Object.values(inputs), 'float32', uniforms);
}
