import {
  type CaptionDiagnostics,
  type CaptionMetrics,
  type CaptionPredictions,
  type CaptionSet,
  captionDiagnostics,
  captionIntervals,
  captionStatistics,
  type Interval,
  pairCaptions,
  type ResampleOptions,
  type ScoreOptions,
  scoresOf,
} from '#captions/metrics';
import { startWork } from '#src/tracking';
import type { JarOptions } from './javaProcess.js';
import { meteorJar } from './meteorJar.js';
import { spiceJar } from './spiceJar.js';

export interface ScoreReportOptions extends ScoreOptions {
  readonly resampling: ResampleOptions;
  /** The captions that the model was trained on, for computing novelty. */
  readonly trainCaptions?: Iterable<string>;
  readonly meteor?: JarOptions;
  readonly spice?: JarOptions;
}

export type ReportedMetric = keyof CaptionMetrics | 'meteor' | 'spice';

/** A score of a set; scores from jars have no interval. */
export interface ReportedScore extends Partial<Interval> {
  readonly score: number;
}

/** All scores of a predictions file against its references, as plain strings and numbers. */
export interface ScoreReport {
  readonly numImages: number;
  readonly numReferences: number;
  /** null: not computed. */
  readonly scores: Readonly<Record<ReportedMetric, ReportedScore | null>>;
  readonly diagnostics: CaptionDiagnostics;
  /** Ascending by id. */
  readonly perImage: readonly ImageScores[];
}

export type ImageScores = CaptionMetrics & {
  readonly imageId: number;
  readonly meteor?: number;
  readonly spice?: number;
};

/**
 * Scores with intervals, diagnostics, and per-image scores; METEOR and SPICE only if their jars are given.
 *
 * @throws UserError when predictions and references name different images, or a jar fails
 */
export async function scoreReport(
  predictions: CaptionPredictions,
  references: CaptionSet,
  { resampling, trainCaptions, meteor, spice, ...given }: ScoreReportOptions,
): Promise<ScoreReport> {
  const numReferences = [...references.values()].reduce((sum, captions) => sum + captions.length, 0);
  const report = startWork('scoring', predictions.size + numReferences, 'captions');
  let done = 0;
  const options = { ...given, onCaption: () => report(++done) };
  const statistics = captionStatistics(predictions, references, options);
  const { perImage, ...corpus } = scoresOf(statistics);
  const intervals = captionIntervals(statistics, resampling);
  const diagnostics = captionDiagnostics(predictions, references, trainCaptions, options);
  const pairs = meteor || spice ? pairCaptions(predictions, references, options) : [];
  const jars = {
    meteor: meteor ? await meteorJar(pairs, meteor) : undefined,
    spice: spice ? await spiceJar(pairs, spice) : undefined,
  };
  const own = Object.fromEntries(
    (Object.keys(corpus) as (keyof CaptionMetrics)[]).map((name) => [
      name,
      { score: corpus[name], ...intervals[name] },
    ]),
  ) as Record<keyof CaptionMetrics, ReportedScore>;
  return {
    numImages: predictions.size,
    numReferences,
    scores: {
      ...own,
      meteor: jars.meteor ? { score: jars.meteor.corpus } : null,
      spice: jars.spice ? { score: jars.spice.corpus } : null,
    },
    diagnostics,
    perImage: perImage.map((scores, i) => ({
      ...scores,
      ...(jars.meteor && { meteor: jars.meteor.perImage[i] }),
      ...(jars.spice && { spice: jars.spice.perImage[i] }),
    })),
  };
}
