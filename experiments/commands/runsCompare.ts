import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  compareRuns,
  comparisonPage,
  configDifferences,
  duelText,
  finalNumbers,
  groupText,
  PAGE_TITLE,
} from '#comparison';
import type { Command } from '#src/cli';
import { inOutputEntry, readText, writeFileAtomic } from '#src/storage';
import { EXPERIMENT_OPTIONS, wholeNumber } from '../options/index.js';

/** `tokenfuse runs compare`: what differs between runs, and what they came to. */
export const runsCompareCommand: Command = {
  name: 'runs compare',
  summary: 'Compare runs: configurations, final numbers, curves, captions of the same pictures',
  details:
    'A folder with several runs, such as a pipeline, stands for all of them. Runs are compared with those of their kind; of ' +
    'evaluations, the captions of the same pictures too, by the paired bootstrap of tokenfuse compare, the first with each other.',
  positionals: [{ name: 'run', description: 'runs, or folders with runs', rest: true }],
  options: {
    out: { description: 'write a page with curves and captions there; it works offline', placeholder: 'page.html' },
    samples: { description: 'resamples of the images (default 1000)', placeholder: 'n' },
    overwrite: EXPERIMENT_OPTIONS.overwrite,
  },
  run: async (args, output) => {
    const out = args.text('out');
    const problems: string[] = [];
    const { groups, sets } = compareRuns(args.positionals, wholeNumber(args, 'samples', 1, 1000), (line) =>
      problems.push(line),
    );
    for (const group of groups) output.line(`${groupText(group)}\n`);
    for (const set of sets) output.line(`${duelText(set)}\n`);
    for (const line of problems) output.line(line);
    if (out !== undefined) {
      const path = resolve(out);
      const isOwn = (): boolean => existsSync(path) && readText(path, 'page').includes(`<title>${PAGE_TITLE}`);
      const options = { overwrite: args.flag('overwrite'), say: output.line, isOwn };
      await inOutputEntry(path, options, async () =>
        writeFileAtomic(path, await comparisonPage(groups, sets, problems)),
      );
      output.line(`page: ${path}`);
    }
    return {
      groups: groups.map((group) => ({
        kind: group.kind,
        runs: group.runs.map(({ letter, summary }) => ({ letter, ...summary })),
        differences: configDifferences(group),
        numbers: finalNumbers(group),
      })),
      captions: sets.flatMap(({ name, duels }) =>
        duels.map(({ a, b, comparison }) => ({ set: name, a: a.summary.path, b: b.summary.path, ...comparison })),
      ),
      ...(out !== undefined && { page: resolve(out) }),
      problems,
    };
  },
};
