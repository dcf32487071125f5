export { bestConstantCaptions } from './bestConstantCaptions.js';
export {
  type BootstrapInterval,
  bootstrapInterval,
  type Interval,
  percentileInterval,
  type ResampleOptions,
  resampledSums,
} from './bootstrap.js';
export { type CaptionDiagnostics, captionDiagnostics, distinctN } from './captionDiagnostics.js';
export type {
  AttributeColumn,
  CaptionAssessment,
  CaptionProbe,
  ChoiceDescription,
  ProbedImages,
  StatedOption,
} from './captionProbe.js';
export {
  type CaptionMetrics,
  type CaptionStatistics,
  captionIntervals,
  captionStatistics,
  type ScoreOptions,
  scoresOfSums,
  sumOf,
} from './captionStatistics.js';
export { type CaptionComparison, compareCaptions, type ScoreComparison } from './compareCaptions.js';
export { type DocumentFrequencies, documentFrequencies } from './documentFrequencies.js';
export { type CaptionPair, type CaptionPredictions, type CaptionSet, pairCaptions } from './pairedCaptions.js';
export { type CaptionScores, scoreCaptions, scoresOf } from './scoreCaptions.js';
