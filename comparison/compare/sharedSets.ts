import { type CaptionComparison, compareCaptions } from '#captions/metrics';
import { type Note, orNote, type ScoredSample } from '../reading/index.js';
import type { ComparedRun, RunGroup } from './comparedRuns.js';

/** The captions of several evaluations for the same images. */
export interface SharedSet {
  readonly name: string;
  /** Those that have all of its images; at least two. */
  readonly runs: readonly ComparedRun[];
  /** By image, in the order of the runs. */
  readonly images: readonly (readonly ScoredSample[])[];
  /** The first run against each of the others. */
  readonly duels: readonly {
    readonly a: ComparedRun;
    readonly b: ComparedRun;
    readonly comparison: CaptionComparison;
  }[];
}

/** Test sets that several evaluations of a group captioned, with the paired bootstrap between the first and each other. */
export function sharedSets({ runs }: RunGroup, samples: number, note: Note): SharedSet[] {
  const names = [...new Set(runs.flatMap(({ sets }) => sets.map(({ name }) => name)))];
  return names.flatMap((name) => {
    const [first, ...others] = runs.flatMap((run) => {
      const set = run.sets.find((each) => each.name === name);
      return set === undefined
        ? []
        : [{ run, captioned: new Map(set.samples.map((sample) => [sample.imageId, sample])) }];
    });
    const same = others.filter(({ run, captioned }) => {
      const isSame = haveSameReferences(first.captioned, captioned);
      if (!isSame)
        note(`${run.found.path}: set ${name}: expected the images and references of ${first.run.found.path}`);
      return isSame;
    });
    if (same.length === 0) return [];
    const references = new Map([...first.captioned].map(([id, sample]) => [id, sample.references]));
    const captionsOf = (captioned: ReadonlyMap<number, ScoredSample>): Map<number, string> =>
      new Map([...captioned].map(([id, { generated }]) => [id, generated]));
    const compared = [first, ...same];
    return [
      {
        name,
        runs: compared.map(({ run }) => run),
        images: [...first.captioned.keys()].map((id) => compared.flatMap(({ captioned }) => captioned.get(id) ?? [])),
        duels: same.flatMap(({ run, captioned }) => {
          const comparison = orNote(note, () =>
            compareCaptions(captionsOf(first.captioned), captionsOf(captioned), references, { seed: 0, samples }),
          );
          return comparison === undefined ? [] : [{ a: first.run, b: run, comparison }];
        }),
      },
    ];
  });
}

function haveSameReferences(a: ReadonlyMap<number, ScoredSample>, b: ReadonlyMap<number, ScoredSample>): boolean {
  return (
    a.size === b.size &&
    [...a].every(([id, { references }]) => b.get(id)?.references.join('\n') === references.join('\n'))
  );
}
