import { join } from 'node:path';
import { evaluate } from '#evaluation';
import { writeEvaluationReport } from '#evaluation/report';
import { sceneProbe } from '#scenes';
import type { Command } from '#src/cli';
import { writeProvenance } from '#src/training';
import { parseExperimentOf } from '../config/parseExperiment.js';
import { ENGINE_OPTIONS, EXPERIMENT_OPTIONS, foldersOf, startEngine } from '../options/index.js';

const { set, root, out, 'cache-dir': cacheDir } = EXPERIMENT_OPTIONS;

/** `tokenfuse evaluate`: captions test sets and scores the captions together with their controls. */
export const evaluateCommand: Command = {
  name: 'evaluate',
  summary: 'Caption test sets and score the captions together with their controls',
  positionals: [{ name: 'experiment.yaml', description: 'an experiment of kind evaluate' }],
  options: { set, root, out, 'cache-dir': cacheDir, ...ENGINE_OPTIONS },
  run: async (args, output) => {
    const experiment = parseExperimentOf(args.positionals[0], ['evaluate'], args.texts('set'));
    const folders = foldersOf(args);
    const engine = await startEngine(args, output);
    const outDir = folders.out(experiment.name);
    const started = performance.now();
    const result = await evaluate(experiment, { ...folders, outDir, output, probe: sceneProbe });
    const wallSeconds = (performance.now() - started) / 1000;
    const { sets } = result;
    const report = join(outDir, 'report.html');
    const command = `tokenfuse evaluate ${args.positionals[0]}`;
    const provenance = { command, config: experiment, seed: experiment.seed, engine };
    const { node, processor, commit } = writeProvenance(outDir, provenance);
    await writeEvaluationReport(report, {
      title: `tokenfuse: ${experiment.name}`,
      created: new Date().toISOString(),
      provenance: {
        engine: engine.name,
        device: engine.device,
        ...{ node, processor, wallSeconds, command },
        seed: experiment.seed,
        commit: commit ?? undefined,
      },
      result,
      experiment,
    });
    output.line(`predictions and scores in ${outDir}, report: ${report}`);
    return { outDir, engine, report, sets: sets.map(({ name, numImages, rows }) => ({ name, numImages, rows })) };
  },
};
