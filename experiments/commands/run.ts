import { resolve } from 'node:path';
import type { Command } from '#src/cli';
import { ENGINE_OPTIONS, threadsOf } from '../engineOption.js';
import { parseExperimentOf } from '../parseExperiment.js';
import { runPipeline } from '../pipeline.js';

/** `tokenfuse run`: a whole pipeline, from nothing to its report. */
export const runCommand: Command = {
  name: 'run',
  summary: 'Run a whole pipeline: data, both backbones, merge, align, evaluate, report.',
  details: 'Stages that are complete are kept; a broken-off run goes on from its last checkpoints.',
  positionals: [{ name: 'pipeline.yaml', description: 'an experiment of kind pipeline' }],
  options: {
    out: { description: 'where everything goes (default: runs/<name>)', placeholder: 'dir' },
    'upper-bound': { description: 'also align a copy with train: all, to compare with' },
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const path = args.positionals[0];
    const pipeline = parseExperimentOf(path, ['pipeline']);
    const outDir = resolve(args.text('out') ?? `runs/${pipeline.name}`);
    const engineWords = [
      ...(args.text('engine') === undefined ? [] : ['--engine', args.text('engine') as string]),
      ...(args.flag('allow-software-adapter') ? ['--allow-software-adapter'] : []),
    ];
    const threads = threadsOf(args);
    return runPipeline(pipeline, { path, outDir, engineWords, threads, upperBound: args.flag('upper-bound'), output });
  },
};
