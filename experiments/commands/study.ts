import { resolve } from 'node:path';
import type { Command } from '#src/cli';
import { ENGINE_OPTIONS, engineWordsOf, threadsOf } from '../options/index.js';
import { openStudy } from '../study/openStudy.js';
import { runStudy } from '../study/runStudy.js';

/** `tokenfuse study`: experiments compared over several seeds. */
export const studyCommand: Command = {
  name: 'study',
  summary: 'Compare experiments over several seeds: chains of stages, or ways of joining backbones',
  details:
    'Re-running resumes: finished cells and stages are kept. The table and the figures go to <out>/results.md; ' +
    '`npm run results` keeps the records of the studies in experiments/.',
  positionals: [{ name: 'study.yaml', description: 'an experiment of kind sweep or study' }],
  options: {
    set: { description: 'override a key: --set seeds=[1]', placeholder: 'key=value', multiple: true },
    quick: { description: "the small variant that a sweep's key quick describes, in runs/<name>-quick" },
    out: { description: 'where everything goes (default: runs/<name>)', placeholder: 'dir' },
    records: {
      description:
        'cells recorded there (experiments/records/) are not run again, so another machine can finish a study',
      placeholder: 'file.jsonl',
    },
    ...ENGINE_OPTIONS,
    threads: { description: 'processes at a time, of one thread each (default: one a core)', placeholder: 'n' },
  },
  run: async (args, output) => {
    const study = openStudy(args.positionals[0], args.texts('set'), args.flag('quick'));
    const outDir = resolve(args.text('out') ?? `runs/${study.name}`);
    const [engineWords, threads, records] = [engineWordsOf(args), threadsOf(args), args.text('records')];
    return runStudy(study, { outDir, engineWords, threads, records, output });
  },
};
