import {
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
import type { ImageAccuracy } from '#scenes';
import { ATTRIBUTE_NAMES, type AttributeName, type EvaluationRow, type ScoreName } from './evaluation.js';
import type { ImageNlls } from './likelihood/index.js';

/** Captions of a test set with what else is known of them; arrays are in the order of the set's images. */
export interface RowInput {
  readonly predictions: readonly string[];
  readonly references: readonly (readonly string[])[];
  readonly nlls?: readonly ImageNlls[] | undefined;
  readonly accuracy?: readonly ImageAccuracy[] | undefined;
}

/** One vector per image, in the order of the set: a row's scores are functions of their sums. */
export interface RowStatistics {
  readonly perImage: readonly Float64Array[];
  /** Width of the caption statistics; nats and tokens follow, then attributes, numerator and denominator each. */
  readonly captionWidth: number;
  readonly hasNlls: boolean;
  readonly hasAccuracy: boolean;
}

/** What an image adds to the numerator and the denominator of each attribute. */
const ATTRIBUTE_TERMS: Readonly<Record<AttributeName, (image: ImageAccuracy) => [number, number]>> = {
  colour: ({ colour, numObjects }) => [colour, numObjects],
  shape: ({ shape, numObjects }) => [shape, numObjects],
  size: ({ size, numObjects }) => [size, numObjects],
  object: ({ object, numObjects }) => [object, numObjects],
  relation: ({ relation }) => relationTerms(relation, true),
  relationAgree: ({ relation, ownSideAnswers }) => relationTerms(relation, ownSideAnswers === true),
  relationDisagree: ({ relation, ownSideAnswers }) => relationTerms(relation, ownSideAnswers === false),
  exactScene: ({ exactScene }) => [Number(exactScene), 1],
};

function relationTerms(relation: boolean | null, counts: boolean): [number, number] {
  return [Number(counts && relation === true), Number(counts && relation !== null)];
}

/** The sums that the scores of a row are made of. */
export function rowStatistics(
  imageIds: readonly number[],
  { predictions, references, nlls, accuracy }: RowInput,
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
        ...(accuracy ? ATTRIBUTE_NAMES.flatMap((name) => ATTRIBUTE_TERMS[name](accuracy[i])) : []),
      ]),
    ),
    captionWidth: captions.perImage[0].length,
    hasNlls: nlls !== undefined,
    hasAccuracy: accuracy !== undefined,
  };
}

/** Several ways of captioning the same images counted as one, each as much as the others. */
export function pooledStatistics(rounds: readonly RowStatistics[]): RowStatistics {
  const images = [...rounds[0].perImage.keys()];
  return { ...rounds[0], perImage: images.map((i) => sumOf(rounds.map(({ perImage }) => perImage[i]))) };
}

/** Every score of the images whose statistics were summed; null where there is nothing to count. */
export function scoresOfRow(
  sums: Float64Array,
  { captionWidth, hasNlls, hasAccuracy }: RowStatistics,
): Pick<EvaluationRow, 'captionNll' | 'bleu1' | 'bleu4' | 'meteorExactStem' | 'rougeL' | 'ciderD'> & {
  readonly attributes: Readonly<Record<AttributeName, number | null>> | null;
} {
  const ratio = (at: number): number | null => (sums[at + 1] === 0 ? null : sums[at] / sums[at + 1]);
  const first = captionWidth + (hasNlls ? 2 : 0);
  const { bleu1, bleu4, meteorExactStem, rougeL, ciderD } = scoresOfSums(sums.subarray(0, captionWidth));
  const attributes = hasAccuracy
    ? (Object.fromEntries(ATTRIBUTE_NAMES.map((name, a) => [name, ratio(first + 2 * a)])) as Record<
        AttributeName,
        number | null
      >)
    : null;
  const captionNll = hasNlls ? ratio(captionWidth) : null;
  return { captionNll, bleu1, bleu4, meteorExactStem, rougeL, ciderD, attributes };
}

/** 95 % bootstrap intervals of every score of a row; a resample without anything to count for a score is left out of it. */
export function rowIntervals(statistics: RowStatistics, options: ResampleOptions): EvaluationRow['intervals'] {
  const samples = resampledSums(statistics.perImage, options).map((sums) => {
    const { attributes, ...scores } = scoresOfRow(sums, statistics);
    return { ...scores, ...attributes };
  });
  return Object.fromEntries(
    (Object.keys(samples[0]) as ScoreName[]).flatMap((name): [ScoreName, Interval][] => {
      const values = samples.map((scores) => scores[name]).filter((value) => value !== null && value !== undefined);
      return values.length === 0 ? [] : [[name, percentileInterval(Float64Array.from(values))]];
    }),
  );
}
