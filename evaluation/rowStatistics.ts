import {
  type CaptionAssessment,
  type CaptionPredictions,
  type CaptionSet,
  captionStatistics,
  type Interval,
  percentileInterval,
  type ResampleOptions,
  resampledSums,
  scoresOfSums,
  sumOf,
} from '#captions/metrics';
import type { AttributeShares, EvaluationRow, MetricName } from './evaluation.js';
import type { ImageNlls } from './likelihood/index.js';

/** Captions of a test set with their NLLs and assessments; arrays are in the order of the set's images. */
export interface RowInput {
  readonly predictions: readonly string[];
  readonly references: readonly (readonly string[])[];
  readonly nlls?: readonly ImageNlls[] | undefined;
  readonly assessments?: readonly CaptionAssessment[] | undefined;
}

/** One vector per image, in the order of the set: a row's scores are functions of their sums. */
export interface RowStatistics {
  readonly perImage: readonly Float64Array[];
  /** Width of the caption statistics; nats and tokens follow, then attributes, numerator and denominator each. */
  readonly captionWidth: number;
  readonly hasNlls: boolean;
  readonly attributes: readonly string[] | undefined;
}

/**
 * The sums from which a row's scores are computed.
 *
 * @param attributes what `assessments` tell
 */
export function rowStatistics(
  imageIds: readonly number[],
  { predictions, references, nlls, assessments }: RowInput,
  attributes?: readonly string[],
): RowStatistics {
  const predicted: CaptionPredictions = new Map(imageIds.map((id, i) => [id, predictions[i]]));
  const referenced: CaptionSet = new Map(imageIds.map((id, i) => [id, references[i]]));
  const captions = captionStatistics(predicted, referenced);
  const placeOf = new Map(captions.imageIds.map((id, place) => [id, place]));
  const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
  return {
    perImage: imageIds.map((id, i) =>
      Float64Array.from([
        ...captions.perImage[placeOf.get(id) as number],
        ...(nlls ? [total(nlls[i].nats), total(nlls[i].tokens)] : []),
        ...(assessments && attributes ? attributes.flatMap((name) => assessments[i].shares[name]) : []),
      ]),
    ),
    captionWidth: captions.perImage[0].length,
    hasNlls: nlls !== undefined,
    attributes: assessments && attributes,
  };
}

/** Pools several ways of captioning the same images, with equal weight. */
export function pooledStatistics(rounds: readonly RowStatistics[]): RowStatistics {
  const images = [...rounds[0].perImage.keys()];
  return { ...rounds[0], perImage: images.map((i) => sumOf(rounds.map(({ perImage }) => perImage[i]))) };
}

/** Every score of the images whose statistics were summed; null where there is nothing to count. */
export function scoresOfRow(
  sums: Float64Array,
  { captionWidth, hasNlls, attributes }: RowStatistics,
): Pick<EvaluationRow, MetricName> & { readonly attributes: AttributeShares | null } {
  const ratio = (at: number): number | null => (sums[at + 1] === 0 ? null : sums[at] / sums[at + 1]);
  const first = captionWidth + (hasNlls ? 2 : 0);
  const { bleu1, bleu4, meteorExactStem, rougeL, ciderD } = scoresOfSums(sums.subarray(0, captionWidth));
  const captionNll = hasNlls ? ratio(captionWidth) : null;
  const shares = attributes && Object.fromEntries(attributes.map((name, a) => [name, ratio(first + 2 * a)]));
  return { captionNll, bleu1, bleu4, meteorExactStem, rougeL, ciderD, attributes: shares ?? null };
}

/** 95 % bootstrap intervals of every score of a row; a resample without anything to count for a score is left out of it. */
export function rowIntervals(statistics: RowStatistics, options: ResampleOptions): EvaluationRow['intervals'] {
  const samples = resampledSums(statistics.perImage, options).map((sums): AttributeShares => {
    const { attributes, ...scores } = scoresOfRow(sums, statistics);
    return { ...scores, ...attributes };
  });
  return Object.fromEntries(
    Object.keys(samples[0]).flatMap((name): [string, Interval][] => {
      const values = samples.map((scores) => scores[name]).filter((value) => value !== null);
      return values.length === 0 ? [] : [[name, percentileInterval(Float64Array.from(values))]];
    }),
  );
}
