import type { FusedKernelFunctions, tf } from '../../shared/index.js';
import { blockArithmetic, multiply } from './arithmetic.js';
import { expectLabels, expectRank, type KernelContext, sizeOf } from './context.js';
import { recorded } from './recording.js';
import { encodeConversion, gridFor } from './rowCommands.js';

/** What both kernels read, besides the weights. */
interface Operands {
  readonly states: tf.TensorInfo;
  readonly embedding: tf.TensorInfo;
  readonly labels: tf.TensorInfo;
}

const THREADS = 256;
/** Classes are padded to a multiple of this with rows of zeros, so that all products are aligned: 50,257 would halve their speed. */
const CLASS_UNIT = 64;
/** Bytes of logits that exist at once. With fewer rows at a time, adding to the embedding's gradient costs more than the cache saves. */
const CHUNK_BYTES = 512 * 2 ** 20;
const MIN_CHUNK_ROWS = 256;
/** Chunks are as long as each other, in steps of this. */
const CHUNK_UNIT = 64;

/** Losses and the wanted gradients of their sum. */
function compute(
  context: KernelContext,
  { states, embedding, labels }: Operands,
  weights: tf.TensorInfo,
  wanted: readonly [boolean, boolean],
) {
  const { address, commands, kernel, output } = context;
  const arithmetic = blockArithmetic(context);
  const { bytes, type } = arithmetic;
  const [rows, width] = states.shape;
  const classes = embedding.shape[0];
  const stride = Math.ceil(classes / CLASS_UNIT) * CLASS_UNIT;
  const losses = output([rows]);
  const dStates = wanted[0] ? output(states.shape) : undefined;
  // The rows of classes that are none are computed like the others, and belong to nobody.
  const dEmbedding = wanted[1] ? output(embedding.shape, 'float32', (stride - classes) * width * 4) : undefined;
  if (rows === 0 && dEmbedding) commands.fill(address(dEmbedding), sizeOf(dEmbedding.shape) * 4, 0);
  /** The numbers in the arithmetic's type, with rows of zeros behind them up to `padded` numbers. */
  const operand = (tensor: tf.TensorInfo, padded: number): number => {
    const count = sizeOf(tensor.shape);
    if (type === 'float32' && padded === count) return address(tensor);
    const copy = context.scratch(padded * bytes);
    const from = { address: address(tensor), stride: count };
    encodeConversion(context, arithmetic, [1, count], from, { to: { address: copy, stride: count } });
    if (padded > count) commands.fill(copy + count * bytes, (padded - count) * bytes, 0);
    return copy;
  };
  const x = operand(states, rows * width);
  const e = { address: operand(embedding, stride * width), stride: width };
  const most = Math.max(MIN_CHUNK_ROWS, Math.floor(CHUNK_BYTES / (stride * bytes)));
  const even = Math.ceil(rows / Math.max(1, Math.ceil(rows / most)));
  const chunk = Math.max(1, Math.min(rows, Math.ceil(even / CHUNK_UNIT) * CHUNK_UNIT));
  const logits = { address: context.scratch(chunk * stride * bytes), stride };
  const wantGradient = wanted[0] || wanted[1];
  for (let first = 0; first < rows; first += chunk) {
    const count = Math.min(chunk, rows - first);
    const some = { address: x + first * width * bytes, stride: width };
    multiply(context, arithmetic, { a: some, b: e, c: logits, transposeB: true, m: count, n: stride, k: width });
    commands.launch(kernel(`cross_entropy_${arithmetic.suffix}`), { grid: [count], threads: THREADS }, [
      ...[{ address: logits.address }, { long: stride }, { int: classes }],
      ...[labels, weights, losses].map((tensor) => ({ address: address(tensor) + first * 4 })),
      { int: wantGradient ? 1 : 0 },
    ]);
    if (dStates) {
      const c = { address: address(dStates) + first * width * 4, stride: width };
      multiply(context, arithmetic, { a: logits, b: e, c, m: count, n: width, k: stride, result: 'float32' });
    }
    if (dEmbedding) {
      const c = { address: address(dEmbedding), stride: width };
      const sizes = { m: stride, n: width, k: count, beta: first > 0 ? 1 : 0 };
      multiply(context, arithmetic, { a: logits, b: some, c, ...sizes, transposeA: true, result: 'float32' });
    }
  }
  return { losses, gradients: [dStates, dEmbedding].filter((tensor) => tensor !== undefined) };
}

/** The kernel whose commands depend on shapes alone. */
function forward(context: KernelContext): FusedKernelFunctions<'LinearCrossEntropy'> {
  return {
    LinearCrossEntropy: (inputs, { wantStates, wantEmbedding }) => {
      expectRank('LinearCrossEntropy', 'states', inputs.states, 2);
      const { losses, gradients } = compute(context, inputs, inputs.weights, [wantStates, wantEmbedding]);
      return [losses, ...gradients];
    },
  };
}

/**
 * `LinearCrossEntropy` and `LinearCrossEntropyGrad`, as src/kernels/linearCrossEntropy defines them: a chunk of rows at a time, logits =
 * states Eᵀ, then losses and dLogits in their place, then the products that make the gradients of the losses' sum. The second kernel
 * scales them where all losses have one factor, as in a sum or a mean, and recomputes everything otherwise.
 */
export function linearCrossEntropyKernels(
  context: KernelContext,
): FusedKernelFunctions<'LinearCrossEntropy' | 'LinearCrossEntropyGrad'> {
  const { address, backend, commands, kernel, output } = context;
  const { LinearCrossEntropy } = recorded(context, forward);

  function scaled(x: tf.TensorInfo, factor: number): tf.TensorInfo {
    if (factor === 1) return context.sameNumbers(x, x.shape);
    const result = output(x.shape);
    const count = sizeOf(x.shape);
    const args = [{ address: address(x) }, { address: address(result) }, { float: factor }, { long: count }];
    commands.launch(kernel('scale_numbers'), { grid: [gridFor(context, count)], threads: THREADS }, args);
    return result;
  }

  /** The factor that all losses of rows that count have; undefined when they differ. */
  function commonFactor(dLosses: tf.TensorInfo, weights: tf.TensorInfo): number | undefined {
    const known = backend.uniform(dLosses);
    if (known !== undefined) return known;
    const factors = backend.numbers(dLosses);
    const rowWeights = backend.numbers(weights);
    let factor: number | undefined;
    for (let row = 0; row < factors.length; row++) {
      if (rowWeights[row] === 0) continue;
      factor ??= factors[row];
      if (factors[row] !== factor) return undefined;
    }
    return factor ?? 1;
  }

  return {
    LinearCrossEntropy: (inputs, attributes, ...rest) => {
      const { embedding, labels, weights } = inputs;
      expectRank('LinearCrossEntropy', 'embedding', embedding, 2);
      expectLabels(context, 'LinearCrossEntropy', labels, weights, embedding.shape[0]);
      return LinearCrossEntropy(inputs, attributes, ...rest);
    },
    LinearCrossEntropyGrad: (inputs) => {
      const { dLosses, weights, dStates, dEmbedding } = inputs;
      const factor = commonFactor(dLosses, weights);
      const ofSum = [dStates, dEmbedding].filter((tensor) => tensor !== undefined);
      if (factor !== undefined) return ofSum.map((tensor) => scaled(tensor, factor));
      const [factors, rowWeights] = [backend.numbers(dLosses), backend.numbers(weights)];
      const products = Float32Array.from(rowWeights, (weight, row) => weight * factors[row]);
      const scaledWeights = backend.makeTensorInfo(weights.shape, 'float32', products);
      const wanted = [dStates !== undefined, dEmbedding !== undefined] as const;
      const { losses, gradients } = compute(context, inputs, scaledWeights, wanted);
      for (const { dataId } of [losses, scaledWeights]) backend.disposeData(dataId);
      return gradients;
    },
  };
}
