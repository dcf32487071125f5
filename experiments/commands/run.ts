import { resolve } from 'node:path';
import type { Command } from '#src/cli';
import { ConfigError } from '#src/errors';
import { parseExperimentOf } from '../config/parseExperiment.js';
import { ENGINE_OPTIONS, engineWordsOf, threadsOf } from '../options/index.js';
import { runPipeline } from '../pipeline/pipeline.js';
import { PIPELINE_STAGES } from '../pipeline/pipelineStages.js';

/** `tokenfuse run`: a whole pipeline, from data to report, or some of its stages. */
export const runCommand: Command = {
  name: 'run',
  summary: 'Run a pipeline: data, both backbones, merge, align, evaluate, report',
  details: 'Re-running resumes: complete stages are kept, and training continues from its last checkpoint.',
  positionals: [{ name: 'pipeline.yaml', description: 'an experiment of kind pipeline' }],
  options: {
    only: {
      description: 'run only these stages: --only align,evaluate (names as in the file)',
      placeholder: 'stages',
    },
    set: {
      description: "override a key of a stage's file: --set align.training.steps=100, or of the pipeline's own",
      placeholder: 'stage.key=value',
      multiple: true,
    },
    root: {
      description: "where the paths in the stages' files start and results go (default: runs/<name>)",
      placeholder: 'dir',
    },
    out: { description: 'the same as --root', placeholder: 'dir' },
    extend: { description: 'go on training where a stage has more training.steps or training.patience than before' },
    overwrite: {
      description: 'move the output of stages that were made with other settings aside, to names that end in .old-1',
    },
    'upper-bound': { description: 'also align a copy with train: all, for comparison' },
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const path = args.positionals[0];
    const [root, out] = [args.text('root'), args.text('out')];
    if (root !== undefined && out !== undefined && resolve(root) !== resolve(out)) {
      throw new ConfigError(`--out: the same as --root, got ${out} and ${root}; leave one out`);
    }
    const overrides = args.texts('set');
    const isOfStage = (word: string): boolean => PIPELINE_STAGES.some((stage) => word.startsWith(`${stage}.`));
    const pipeline = parseExperimentOf(
      path,
      ['pipeline'],
      overrides.filter((word) => !isOfStage(word)),
    );
    return runPipeline(pipeline, {
      path,
      outDir: resolve(root ?? out ?? `runs/${pipeline.name}`),
      command: args.commandLine,
      engineWords: engineWordsOf(args),
      threads: threadsOf(args),
      upperBound: args.flag('upper-bound'),
      overwrite: args.flag('overwrite'),
      extend: args.flag('extend'),
      overrides: overrides.filter(isOfStage),
      only: args
        .text('only')
        ?.split(',')
        .map((name) => name.trim()),
      output,
    });
  },
};
