import { parseConfig } from '#src/config';
import { tf } from '#src/engine';
import { findNormActivation, pattention } from '#src/kernels';
import { TokenFormerConfig } from '#src/tokenformer';
import type { PattentionGroup } from '../pattention.js';
import type { TensorData } from '../tensorData.js';
import { currentEngine } from './currentEngine.js';
import { hostData } from './hostData.js';

/** A stack of one token, which only lends the mathematics its defaults and its checks. */
const SHAPE = {
  dModel: 1,
  numLayers: 1,
  numHeads: 1,
  qkvParamTokens: 1,
  outputParamTokens: 1,
  ffnParamTokens: 1,
};

export async function computePattention(
  input: TensorData,
  { keyParamTokens, valueParamTokens, tau, ...math }: PattentionGroup,
): Promise<TensorData> {
  const { normActivation, gelu, normEpsilon } = parseConfig({ ...SHAPE, ...math }, TokenFormerConfig, 'pattention');
  await currentEngine();
  const settings = {
    normActivation,
    gelu,
    epsilon: normEpsilon,
    tau: tau ?? findNormActivation(normActivation).tau(keyParamTokens.shape[0]),
  };
  return hostData(() => pattention(matrix(input), matrix(keyParamTokens), matrix(valueParamTokens), settings));
}

function matrix({ values, shape }: TensorData): tf.Tensor2D {
  return tf.tensor2d(values, [shape[0], shape[1]]);
}
