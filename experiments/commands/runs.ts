import { listRuns, RUN_KINDS, RUN_SORT_KEYS, RUN_STATES, runTable } from '#comparison';
import type { Command } from '#src/cli';
import { wholeNumber } from '../options/index.js';

/** `tokenfuse runs`: which runs there are, and how they stand. */
export const runsCommand: Command = {
  name: 'runs',
  summary: 'List runs, evaluations, pipelines and studies, and how they stand',
  details:
    'Looks wherever below the folders. best and last: of the validation metric that selects checkpoints. time: from the first to ' +
    'the last write, pauses included. It reads only.',
  positionals: [{ name: 'folder', description: 'where to look (default runs)', optional: true, rest: true }],
  options: {
    kind: { description: `only these, separated by commas: ${RUN_KINDS.join(', ')}`, placeholder: 'kinds' },
    state: { description: `only these: ${RUN_STATES.join(', ')}`, placeholder: 'states' },
    name: { description: 'only those with this text in their path', placeholder: 'text' },
    where: {
      description:
        'only those started with this: training.steps=600, also with !=, <, <=, >, >=; several must all hold',
      placeholder: 'key=value',
      multiple: true,
    },
    sort: { description: `by ${RUN_SORT_KEYS.join(', ')} (default name)`, placeholder: 'key' },
    reverse: { description: 'the highest first' },
    limit: { description: 'at most so many', placeholder: 'n' },
  },
  run: async (args, output) => {
    const problems: string[] = [];
    const folders = args.positionals.length > 0 ? args.positionals : ['runs'];
    const limit = wholeNumber(args, 'limit', 1, Number.MAX_SAFE_INTEGER);
    const listed = listRuns(
      folders,
      {
        kinds: args.text('kind'),
        states: args.text('state'),
        name: args.text('name'),
        where: args.texts('where'),
        sort: args.text('sort') ?? 'name',
        reverse: args.flag('reverse'),
      },
      (line) => problems.push(line),
    );
    const runs = listed.slice(0, limit).map(({ summary }) => summary);
    if (runs.length > 0) output.line(runTable(runs));
    else output.line('no runs');
    for (const { path, state, note } of runs) if (note !== null) output.line(`${path}: ${state}: ${note}`);
    if (listed.length > runs.length) output.line(`${runs.length} of ${listed.length} runs`);
    for (const line of problems) output.line(line);
    return { runs, problems };
  },
};
