import { join } from 'node:path';
import { z } from 'zod';
import { parseFile } from '#src/config';
import { readJson } from '#src/storage';
import { type Note, orNote } from './readRunFile.js';

const Score = z.number().nullable();
const Intervals = z.record(z.string(), z.looseObject({ low: Score, high: Score }).optional());

const Row = z.looseObject({
  name: z.string(),
  attributes: z.record(z.string(), z.unknown()).nullish(),
  intervals: Intervals.nullish(),
});

const Sample = z.looseObject({
  imageId: z.number(),
  image: z.looseObject({
    path: z.string(),
    member: z.looseObject({ archive: z.string(), offset: z.int().min(0), length: z.int().min(0) }).optional(),
  }),
  references: z.array(z.string()),
  generated: z.string(),
  ciderD: z.number(),
});
/** An image of a test set with the caption of the evaluated model. */
export type ScoredSample = z.output<typeof Sample>;

const Evaluation = z.looseObject(
  {
    sets: z.array(
      z.looseObject({ name: z.string(), numImages: z.int().min(0), rows: z.array(Row), samples: z.array(Sample) }),
      'an array',
    ),
  },
  'an object',
);

/** A score with its 95 % interval where there is one. */
export interface SetScore {
  readonly name: string;
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
}

/** What an evaluation found of a test set. */
export interface ScoredSet {
  readonly name: string;
  readonly numImages: number;
  /** The model's own first, then its controls. */
  readonly rows: readonly { readonly name: string; readonly scores: readonly SetScore[] }[];
  readonly samples: readonly ScoredSample[];
}

/** The sets of an evaluation.json; none, with a note, where it cannot be read. Only what is shown is checked. */
export function runScores(folder: string, note: Note): ScoredSet[] {
  const path = join(folder, 'evaluation.json');
  const evaluation = orNote(note, () => parseFile(Evaluation, readJson(path, 'evaluation'), path));
  return (evaluation?.sets ?? []).map(({ name, numImages, rows, samples }) => ({
    name,
    numImages,
    rows: rows.map((row) => ({ name: row.name, scores: scoresOf(row) })),
    samples,
  }));
}

function scoresOf({ attributes, intervals, name: _, ...metrics }: z.output<typeof Row>): SetScore[] {
  return Object.entries({ ...metrics, ...attributes }).flatMap(([name, value]) => {
    if (typeof value !== 'number' || !Number.isFinite(value)) return [];
    const { low = null, high = null } = intervals?.[name] ?? {};
    return [{ name, value, low, high }];
  });
}
