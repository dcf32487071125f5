import { resolve } from 'node:path';
import type { Command } from '#src/cli';
import { parseExperimentOf } from '../config/parseExperiment.js';
import { ENGINE_OPTIONS, engineWordsOf, threadsOf } from '../options/index.js';
import { runStudy } from '../study/runStudy.js';

/** `tokenfuse study`: many ways of joining two backbones, over several seeds. */
export const studyCommand: Command = {
  name: 'study',
  summary: 'Compare ways of joining backbones over several seeds and numbers of pairs',
  details: 'Re-running resumes: finished cells are kept. `npm run results` keeps the records and writes the tables.',
  positionals: [{ name: 'study.yaml', description: 'an experiment of kind study' }],
  options: {
    set: { description: 'override a key: --set seeds=[1]', placeholder: 'key=value', multiple: true },
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
    const path = args.positionals[0];
    const study = parseExperimentOf(path, ['study'], args.texts('set'));
    const outDir = resolve(args.text('out') ?? `runs/${study.name}`);
    const [engineWords, threads, records] = [engineWordsOf(args), threadsOf(args), args.text('records')];
    return runStudy(study, { path, outDir, engineWords, threads, records, output });
  },
};
