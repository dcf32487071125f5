export { type BridgePlace, bridgeAt, bridgesInEveryBlock } from './bridgePlaces.js';
export type { AddedGroup, FusionMethod, FusionOption, RecipeProblem } from './fusionMethod.js';
export { type GroupReading, type ImageTokens, imageTokens, type LayerReading } from './imageTokens.js';
export { BRIDGE_PARTS, IMAGE_BRIDGE, TEXT_BRIDGE } from './jointLayers.js';
export { isLoraGroup, loraGroups, trainsVisionLora, withLora } from './lora.js';
export {
  addedGate,
  addedGroup,
  addedHeadGate,
  backboneGroups,
  shapeProblems,
  stacksMatch,
  textBlocksOf,
} from './modelGroups.js';
export { fusionMethod, fusionMethods, isBuiltInMethod, registerFusionMethod, unknownFusionMethod } from './registry.js';
