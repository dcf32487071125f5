/**
 * `tokenfuse/metrics`: caption metrics, without an engine and without Node.js: it works in browsers too.
 *
 * @module tokenfuse/metrics
 */
export {
  type BootstrapInterval,
  bootstrapInterval,
  type CaptionComparison,
  type CaptionDiagnostics,
  type CaptionMetrics,
  type CaptionPredictions,
  type CaptionScores,
  type CaptionSet,
  type CaptionStatistics,
  captionDiagnostics,
  captionIntervals,
  captionStatistics,
  compareCaptions,
  type DocumentFrequencies,
  distinctN,
  documentFrequencies,
  type Interval,
  type ResampleOptions,
  type ScoreComparison,
  type ScoreOptions,
  scoreCaptions,
} from '#captions/metrics';
export { ptbTokenize, type TokenizeOptions } from '#captions/tokenization';
export { UserError } from '#src/errors';
