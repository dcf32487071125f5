import { createLanguageParameters, type LanguageConfig, languageHidden, languageLogits } from '#language';
import { tf } from '#src/engine';
import { ParameterTree } from '#src/tokenformer';

/** A language model of a few hundred parameters, with every kind of layer and rotary positions on half of each head. */
export const tinyLanguageConfig: LanguageConfig = {
  vocabSize: 11,
  seqLen: 8,
  stack: {
    dModel: 8,
    numLayers: 2,
    numHeads: 2,
    qkvParamTokens: 6,
    outputParamTokens: 5,
    ffnParamTokens: 10,
    normActivation: 'l2NormGelu',
    gelu: 'erf',
    normEpsilon: 1e-5,
    rotaryShare: 0.5,
    rotaryBase: 10_000,
  },
};

/**
 * New parameters, `scale` times larger than at the start of training: with that, what a model predicts depends visibly
 * on all that it reads.
 */
export function tinyLanguageTree(config = tinyLanguageConfig, seed = 3, scale = 20): ParameterTree {
  const tensors = createLanguageParameters(config, seed);
  for (const [name, { shape, values }] of tensors) {
    if (!/(tokenEmbedding|ParamTokens)$/.test(name)) continue;
    tensors.set(name, { shape, values: Float32Array.from(values, (value) => value * scale) });
  }
  return new ParameterTree(tensors);
}

/** Logits of whole sequences of equal length, [batch · seqLen, vocabSize], on the host. */
export function tinyLogits(
  tree: ParameterTree,
  sequences: readonly (readonly number[])[],
  config = tinyLanguageConfig,
): Float32Array {
  return tf.tidy(() => {
    const ids = tf.tensor2d(
      sequences.map((ids) => [...ids]),
      undefined,
      'int32',
    );
    return languageLogits(tree, languageHidden(tree, config, ids).hidden).dataSync() as Float32Array;
  });
}
