import { type CaptionProbe, type ProbedImages, type ResampleOptions, sumOf } from '#captions/metrics';
import type { CaptionRow } from './captionRows.js';
import type { AttributeScores, EvaluationRow, PerImageScores } from './evaluation.js';
import {
  pooledStatistics,
  type RowInput,
  type RowStatistics,
  rowIntervals,
  rowStatistics,
  scoresOfRow,
} from './rowStatistics.js';

/** Images with their references and, where a probe has it, ground truth. */
export interface ScoredImages {
  readonly imageIds: readonly number[];
  readonly references: readonly (readonly string[])[];
  /** The probe that knows them, if any. */
  readonly truth: { readonly probe: CaptionProbe; readonly images: ProbedImages } | undefined;
}

/** A row's scores, over all images or over some. */
export interface RowScores {
  /** @param members positions of images; all unless given */
  row(members?: readonly number[]): EvaluationRow;
  /** The scores of one image. */
  image(position: number): ReturnType<typeof scoresOfRow> & { readonly exact: boolean | null };
  perImage(): PerImageScores;
}

/** Scores captions against references and ground truth. */
export function scoreRow(
  { name, captions, nlls, rounds }: CaptionRow,
  { imageIds, references, truth }: ScoredImages,
  resample: ResampleOptions,
): RowScores {
  const assess = (predictions: readonly string[]) =>
    truth && predictions.map((caption, i) => truth.images.assess(caption, i));
  const statisticsOf = (input: Omit<RowInput, 'assessments'>): RowStatistics =>
    rowStatistics(imageIds, { ...input, assessments: assess(input.predictions) }, truth?.probe.attributes);
  const statistics = rounds
    ? pooledStatistics(rounds.map(statisticsOf))
    : statisticsOf({ predictions: captions, references, nlls });
  const assessments = assess(captions);
  const everyImage = [...imageIds.keys()];
  const scoresOf = (position: number) => scoresOfRow(statistics.perImage[position], statistics);

  return {
    row: (members = everyImage) => {
      const own = { ...statistics, perImage: members.map((i) => statistics.perImage[i]) };
      const { attributes, ...scores } = scoresOfRow(sumOf(own.perImage), own);
      return {
        name,
        ...scores,
        attributes:
          attributes && assessments
            ? withCounts(
                attributes,
                members.map((i) => assessments[i].counts),
              )
            : null,
        intervals: rowIntervals(own, resample),
      };
    },
    image: (position) => ({ ...scoresOf(position), exact: assessments?.[position].exact ?? null }),
    perImage: () => {
      const scores = everyImage.map(scoresOf);
      return {
        ciderD: scores.map(({ ciderD }) => ciderD),
        captionNll: statistics.hasNlls ? scores.map(({ captionNll }) => captionNll as number) : null,
      };
    },
  };
}

function withCounts(
  shares: Readonly<Record<string, number | null>>,
  perImage: readonly Readonly<Record<string, number>>[],
): AttributeScores {
  const counts: Record<string, number> = {};
  for (const image of perImage) {
    for (const [key, count] of Object.entries(image)) counts[key] = (counts[key] ?? 0) + count;
  }
  return Object.assign({ ...shares }, { counts });
}
