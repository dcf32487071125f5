import { tf } from '../../shared/index.js';
import type { WebgpuBackend } from '../backend.js';
import { floats, integers, matMul, release, rowsOf, runKernel, viewAs, type WebgpuKernels } from './kernelContext.js';
import { rowProgram } from './rowProgram.js';

/** Added to hidden scores, as in the reference: finite, so that a row with every key hidden stays a number. */
const HIDDEN = '-1e9';

/**
 * `TokenAttention` without a context, and `TokenAttentionGrad`, as src/kernels/tokenAttention defines them; what the first
 * saves for the second are the probabilities, [batch, numHeads, queryLen, keyLen].
 */
export const attentionKernels: WebgpuKernels<'TokenAttention' | 'TokenAttentionGrad'> = {
  TokenAttention: ({ q, k, v, keyMask }, { numHeads, prefixLen, contextLen }, backend) => {
    const [queries, keys, values] = [q, k, v].map((t) => splitHeads(backend, t, numHeads));
    const scores = matMul(backend, queries, keys, false, true); // [batch, numHeads, queryLen, keyLen]
    const probabilities = softmax(backend, scores, queries.shape[3], keyMask, prefixLen);
    const results = [mergeHeads(backend, matMul(backend, probabilities, values))]; // [batch, queryLen, dModel]
    if (contextLen > 0) {
      const [seen, read] = [
        firstKeys(backend, probabilities, 3, contextLen),
        firstKeys(backend, values, 2, contextLen),
      ];
      results.push(mergeHeads(backend, matMul(backend, seen, read)));
      release(backend, seen, read);
    }
    release(backend, queries, keys, values, scores);
    return [contextLen > 0 ? stack(backend, results) : results[0], probabilities];
  },
  TokenAttentionGrad: ({ dOutput, q, k, v, saved: p }, { numHeads, contextLen }, backend) => {
    const [queries, keys, values] = [q, k, v].map((t) => splitHeads(backend, t, numHeads));
    const [dWhole, dContext] = (contextLen > 0 ? unstack(backend, dOutput) : [dOutput]).map((part) => {
      const heads = splitHeads(backend, part, numHeads); // [batch, numHeads, queryLen, headDim]
      if (part !== dOutput) release(backend, part);
      return heads;
    });
    let dValues = matMul(backend, p, dWhole, true, false);
    let dP = matMul(backend, dWhole, values, false, true); // [batch, numHeads, queryLen, keyLen]
    if (contextLen > 0) {
      const [seen, read] = [firstKeys(backend, p, 3, contextLen), firstKeys(backend, values, 2, contextLen)];
      dValues = addPadded(backend, dValues, matMul(backend, seen, dContext, true, false), 2);
      dP = addPadded(backend, dP, matMul(backend, dContext, read, false, true), 3);
      release(backend, seen, read, dContext);
    }
    const dScores = softmaxGradient(backend, p, dP, 1 / Math.sqrt(queries.shape[3]));
    const dQueries = matMul(backend, dScores, keys); // [batch, numHeads, queryLen, headDim]
    const dKeys = matMul(backend, dScores, queries, true, false); // [batch, numHeads, keyLen, headDim]
    release(backend, queries, keys, values, dWhole, dP, dScores);
    return [mergeHeads(backend, dQueries), mergeHeads(backend, dKeys), mergeHeads(backend, dValues)];
  },
};

/** softmax(scores/√headDim + mask), the mask worked out from positions. */
function softmax(
  backend: WebgpuBackend,
  scores: tf.TensorInfo,
  headDim: number,
  keyMask: tf.TensorInfo | undefined,
  prefixLen: number,
): tf.TensorInfo {
  const { rows, width, matrix } = rowsOf(scores);
  const [, numHeads, queryLen] = scores.shape;
  const padding = keyMask === undefined ? '' : `+ (1.0 - keyMask[keyStart + c]) * ${HIDDEN}`;
  const masks = keyMask === undefined ? [] : [keyMask];
  // One mask may serve the whole batch.
  const rowsPerMask = keyMask === undefined || keyMask.shape[0] === 1 ? rows : numHeads * queryLen;
  const program = rowProgram({
    name: `attentionSoftmax_${masks.length}`,
    variableNames: ['scores', ...(keyMask === undefined ? [] : ['keyMask'])],
    rows,
    width,
    uniforms: 'queryLen : i32, prefixLen : i32, rowsPerMask : i32, scale : f32,',
    functions: `
      fn scoreAt(row : i32, c : i32) -> f32 {
        let position = uniforms.width - uniforms.queryLen + row % uniforms.queryLen;
        let keyStart = row / uniforms.rowsPerMask * uniforms.width;
        let hidden = select(${HIDDEN}, 0.0, c <= position || c < uniforms.prefixLen);
        return scores[row * uniforms.width + c] * uniforms.scale + (hidden ${padding});
      }
    `,
    code: `
      var share = -3.4e38;
      for (var c = first; c < end; c += THREADS) { share = max(share, scoreAt(row, c)); }
      let largest = rowMax(share);
      var part = 0.0;
      for (var c = first; c < end; c += THREADS) { part += exp(scoreAt(row, c) - largest); }
      let total = rowSum(part);
      for (var c = first; c < end; c += THREADS) { result[start + c] = exp(scoreAt(row, c) - largest) / total; }
    `,
  });
  const uniforms = [...integers(rows, width, queryLen, prefixLen, rowsPerMask), ...floats(1 / Math.sqrt(headDim))];
  const probabilities = backend.runWebGPUProgram(program, [matrix, ...masks], 'float32', uniforms);
  return { ...probabilities, shape: scores.shape };
}

/** scale · P (dP − <P, dP>) */
function softmaxGradient(backend: WebgpuBackend, p: tf.TensorInfo, dP: tf.TensorInfo, scale: number): tf.TensorInfo {
  const { rows, width, matrix } = rowsOf(p);
  const program = rowProgram({
    name: 'attentionSoftmaxGradient',
    variableNames: ['p', 'dP'],
    rows,
    width,
    uniforms: 'scale : f32,',
    code: `
      var part = 0.0;
      for (var c = first; c < end; c += THREADS) { part += p[start + c] * dP[start + c]; }
      let inner = rowSum(part);
      for (var c = first; c < end; c += THREADS) {
        result[start + c] = uniforms.scale * p[start + c] * (dP[start + c] - inner);
      }
    `,
  });
  const uniforms = [...integers(rows, width), ...floats(scale)];
  const dScores = backend.runWebGPUProgram(program, [matrix, rowsOf(dP).matrix], 'float32', uniforms);
  return { ...dScores, shape: p.shape };
}

/** [batch, len, numHeads · headDim] → [batch, numHeads, len, headDim] */
function splitHeads(backend: WebgpuBackend, x: tf.TensorInfo, numHeads: number): tf.TensorInfo {
  const [batch, len, width] = x.shape;
  const heads = viewAs(x, [batch, len, numHeads, width / numHeads]);
  return runKernel(backend, tf.Transpose, { x: heads }, { perm: [0, 2, 1, 3] });
}

/** [batch, numHeads, len, headDim] → [batch, len, numHeads · headDim], in the place of x */
function mergeHeads(backend: WebgpuBackend, x: tf.TensorInfo): tf.TensorInfo {
  const [batch, numHeads, len, headDim] = x.shape;
  const merged = runKernel(backend, tf.Transpose, { x }, { perm: [0, 2, 1, 3] });
  release(backend, x);
  return { ...merged, shape: [batch, len, numHeads * headDim] };
}

/** The first `count` places along an axis of four. */
function firstKeys(backend: WebgpuBackend, x: tf.TensorInfo, axis: number, count: number): tf.TensorInfo {
  const size = x.shape.map((length, i) => (i === axis ? count : length));
  return runKernel(backend, tf.Slice, { x }, { begin: [0, 0, 0, 0], size });
}

/** whole + part, the part continued by zeros along an axis; in the place of both. */
function addPadded(backend: WebgpuBackend, whole: tf.TensorInfo, part: tf.TensorInfo, axis: number): tf.TensorInfo {
  const paddings = part.shape.map((length, i) => [0, i === axis ? whole.shape[i] - length : 0]);
  const padded = runKernel(backend, tf.PadV2, { x: part }, { paddings, constantValue: 0 });
  const sum = runKernel(backend, tf.Add, { a: whole, b: padded }, {});
  release(backend, whole, part, padded);
  return sum;
}

/** Both results in one tensor, in the place of both. */
function stack(backend: WebgpuBackend, parts: readonly tf.TensorInfo[]): tf.TensorInfo {
  const stacked = runKernel(backend, tf.Pack, parts, { axis: 0 });
  release(backend, ...parts);
  return stacked;
}

function unstack(backend: WebgpuBackend, x: tf.TensorInfo): tf.TensorInfo[] {
  const [, ...shape] = x.shape;
  return [0, 1].map((part) => {
    const begin = [part, ...shape.map(() => 0)];
    return { ...runKernel(backend, tf.Slice, { x }, { begin, size: [1, ...shape] }), shape };
  });
}
