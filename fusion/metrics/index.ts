export {
  bestConstantCaption,
  type ConstantCaption,
  type ConstantCaptionOptions,
} from './bestConstantCaption.js';
export { type BleuScores, bleu } from './bleu.js';
export { type BootstrapInterval, bootstrapInterval } from './bootstrapInterval.js';
export { type CaptionDiagnostics, captionDiagnostics } from './captionDiagnostics.js';
export { type CaptionPair, type CaptionPredictions, type CaptionSet, captionPairs } from './captionPairs.js';
export { ciderD } from './ciderD.js';
export type { CountedCaption } from './countedCaption.js';
export { distinctN } from './distinctN.js';
export { type DocumentFrequencies, documentFrequencies } from './documentFrequencies.js';
export { rougeL } from './rougeL.js';
export { type CaptionMetrics, type CaptionScores, type ScoreOptions, scoreCaptions } from './scoreCaptions.js';
export { simpleTokenize, type TokenizeOptions } from './simpleTokenize.js';
