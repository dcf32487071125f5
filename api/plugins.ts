/**
 * `tokenfuse/plugins`: what an extension in a file of its own is written with (`--plugin my-method.ts`). Its types are
 * TensorFlow.js' own, which need `skipLibCheck: true`; all other entries do without.
 *
 * @module tokenfuse/plugins
 */
export {
  type AddedGroup,
  addedGate,
  addedGroup,
  addedHeadGate,
  BRIDGE_PARTS,
  type BridgePlace,
  backboneGroups,
  bridgeAt,
  bridgesInEveryBlock,
  type FusionConfig,
  type FusionMethod,
  type FusionOption,
  type FusionOptions,
  fusionMethod,
  fusionMethods,
  type GroupReading,
  IMAGE_BRIDGE,
  type ImageTokens,
  imageTokens,
  type JointModel,
  type JointModelConfig,
  type LayerReading,
  type RecipeProblem,
  registerFusionMethod,
  shapeProblems,
  stacksMatch,
  TEXT_BRIDGE,
  textBlocksOf,
} from '#fusion';
export { createLanguageParameters, LanguageConfig, languageHidden, summedTokenLoss } from '#language';
export { tf } from '#src/engine';
export { type NormActivation, registerNormActivation } from '#src/kernels';
export { type ActiveGroup, type AttentionContext, type BlockLayers, blocksOf, ParameterTree } from '#src/tokenformer';
