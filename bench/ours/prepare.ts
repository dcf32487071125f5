import { Decoding, decode, languageDecodeForward } from '#language';
import { tf } from '#src/engine';
import { type PattentionSettings, pattention } from '#src/kernels';
import { AdamW, trainStep } from '#src/training';
import { normalTensor } from '../normalTensor.js';
import type { Measurement, Workload } from '../workload.js';
import { openBenchModel } from './openBenchModel.js';

/** What one repetition leaves behind besides the time it took. */
export type Repetition = () => Promise<Pick<Measurement, 'losses' | 'logProb'>>;

/** Makes a workload's tensors on the current engine; what is returned does it once. */
export function prepare(workload: Workload): Repetition {
  switch (workload.kind) {
    case 'product':
      return prepareProduct(workload);
    case 'pattention':
      return preparePattention(workload);
    case 'step':
      return prepareStep(workload);
    case 'decode':
      return prepareDecode(workload);
  }
}

type Of<K extends Workload['kind']> = Extract<Workload, { kind: K }>;

function prepareProduct({ batch, m, n, depth, transposeA, transposeB }: Of<'product'>): Repetition {
  const stored = (rows: number, columns: number, transposed: boolean): tf.Tensor3D =>
    normalTensor([batch, ...(transposed ? [columns, rows] : [rows, columns])]) as tf.Tensor3D;
  const a = stored(m, depth, transposeA);
  const b = stored(depth, n, transposeB);
  return async () => {
    tf.matMul(a, b, transposeA, transposeB).dispose();
    return {};
  };
}

function preparePattention({ tokens, width, numParamTokens }: Of<'pattention'>): Repetition {
  const x = normalTensor([tokens, width]);
  const keys = normalTensor([numParamTokens, width]);
  const values = normalTensor([numParamTokens, width]);
  const dOutput = normalTensor([tokens, width]);
  const tau = Math.sqrt(numParamTokens);
  const settings: PattentionSettings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 0, tau };
  const withGradients = tf.valueAndGrads((...args): tf.Tensor => {
    const [a, b, c] = args as tf.Tensor2D[];
    return pattention(a, b, c, settings);
  });
  return async () => {
    const { value, grads } = withGradients([x, keys, values], dOutput);
    tf.dispose([value, ...grads]);
    return {};
  };
}

function prepareStep({ folder }: Of<'step'>): Repetition {
  const { task, training } = openBenchModel(folder);
  const optimizer = new AdamW(task.parameters, training);
  let step = 0;
  return async () => ({ losses: [(await trainStep(task, training, optimizer, { step: ++step })).loss] });
}

function prepareDecode({ folder, promptLen, newTokens }: Of<'decode'>): Repetition {
  const { model, tree, tokenIds } = openBenchModel(folder);
  if (model.kind !== 'language') throw new Error(`decode: expected a language model, got a ${model.kind} model`);
  const { config } = model;
  const forward = languageDecodeForward(tree, config);
  const request = {
    rowNames: ['bench'],
    prompt: tokenIds.subarray(0, promptLen),
    stopIds: [config.vocabSize], // no token: it writes to the end
  };
  const decoding = Decoding.parse({ method: 'greedy', maxTokens: newTokens });
  return async () => {
    const [[{ logProb }]] = await decode(forward, request, decoding);
    return { logProb };
  };
}
