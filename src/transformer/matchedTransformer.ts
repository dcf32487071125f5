import { UserError } from '#src/errors';
import { LAYER_NAMES, stackGroups, type TokenFormerConfig } from '#src/tokenformer';
import { mlpHidden, TransformerConfig } from './config.js';

/** Parameters of the blocks of a TokenFormer: 2 dModel for each parameter token. */
function tokenFormerParameters(config: TokenFormerConfig): number {
  const perBlock = stackGroups(config, 'own')
    .flatMap(({ paramTokens }) => LAYER_NAMES.map((layer) => paramTokens[layer]))
    .reduce((sum, count) => sum + count, 0);
  return 2 * config.dModel * perBlock * config.numLayers;
}

/** Parameters of the blocks of a standard Transformer: 4 dModel² for attention, 2 dModel for each hidden unit. */
export function transformerParameters(config: TransformerConfig): number {
  const { dModel, numLayers } = config;
  return numLayers * (4 * dModel ** 2 + 2 * dModel * mlpHidden(config));
}

/** What both have in common. */
function common({ numLayers, gelu, rotaryShare, rotaryBase }: TokenFormerConfig) {
  return { kind: 'transformer', numLayers, gelu, rotaryShare, rotaryBase };
}

/**
 * The Transformer with as many parameters as a TokenFormer, of its width, depth and heads: mlpHidden = Σ n − 2 dModel over the
 * parameter tokens of a block, which is exact.
 *
 * @throws UserError when the TokenFormer is smaller than such a Transformer without an MLP
 */
export function matchedTransformer(config: TokenFormerConfig): TransformerConfig {
  const { dModel, numHeads, numLayers } = config;
  const hidden = tokenFormerParameters(config) / (2 * dModel * numLayers) - 2 * dModel;
  if (hidden < 1) {
    throw new UserError(
      `a Transformer of width ${dModel} has more parameters than this TokenFormer even without its MLP: expected more than ${2 * dModel} parameter tokens in a block, got ${hidden + 2 * dModel}`,
    );
  }
  return TransformerConfig.parse({ ...common(config), dModel, numHeads, mlpHidden: hidden });
}

/**
 * The Transformer of a TokenFormer's depth and head width, with mlpHidden = 4 dModel, whose width brings the number of
 * parameters as near as whole heads allow.
 *
 * @param perFeature parameters outside of the blocks per feature of the stream; vocabSize + 2 for a language model
 */
export function matchedByWidth(config: TokenFormerConfig, perFeature: number): TransformerConfig {
  const { dModel, numHeads } = config;
  const headDim = dModel / numHeads;
  const wanted = tokenFormerParameters(config) + perFeature * dModel;
  const withHeads = (heads: number): TransformerConfig =>
    TransformerConfig.parse({ ...common(config), dModel: heads * headDim, numHeads: heads });
  const apart = (candidate: TransformerConfig): number =>
    Math.abs(transformerParameters(candidate) + perFeature * candidate.dModel - wanted);
  let best = withHeads(1);
  for (let heads = 2; ; heads++) {
    const candidate = withHeads(heads);
    // The number of parameters grows with the width: past the nearest one it only gets farther.
    if (apart(candidate) > apart(best)) return best;
    best = candidate;
  }
}
