import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  EVALUATION,
  EvaluateExperiment,
  evaluate,
  evaluationInputs,
  writeEvaluation,
  writeEvaluationEvents,
} from '#evaluation';
import { writeEvaluationReport } from '#evaluation/report';
import { sceneProbe } from '#scenes';
import type { Command, Output } from '#src/cli';
import { ConfigError } from '#src/errors';
import { inResultFolder, isStartedWith, provenanceOf } from '#src/training';
import { parseExperimentOf } from '../config/parseExperiment.js';
import {
  ENGINE_OPTIONS,
  EXPERIMENT_OPTIONS,
  foldersOf,
  GROUP_OPTION,
  PREFIX_OPTION,
  prefixOf,
  REMOTE_OPTIONS,
  remoteOf,
  remoteResult,
  SPARSE_OPTION,
  sparsityOf,
  startEngine,
} from '../options/index.js';

const { set, root, out, 'cache-dir': cacheDir, overwrite } = EXPERIMENT_OPTIONS;

/** `tokenfuse evaluate`: captions test sets and scores the captions together with their controls. */
export const evaluateCommand: Command = {
  name: 'evaluate',
  summary: 'Caption test sets and score the captions together with their controls',
  positionals: [{ name: 'experiment.yaml', description: 'an experiment of kind evaluate' }],
  options: {
    ...{ set, root, out, 'cache-dir': cacheDir, overwrite },
    ...{ ...GROUP_OPTION, ...PREFIX_OPTION, ...SPARSE_OPTION, ...REMOTE_OPTIONS, ...ENGINE_OPTIONS },
  },
  run: async (args, output) => {
    const [path] = args.positionals;
    const used = [
      ...(prefixOf(args) ? [`prefix=${args.text('prefix')}`] : []),
      ...(sparsityOf(args) ? [`sparse=${args.text('sparse')}`] : []),
    ];
    const folders = foldersOf(args);
    const given = withGroups(
      parseExperimentOf(path, ['evaluate'], [...args.texts('set'), ...used]),
      args.texts('group'),
    );
    const experiment = args.text('remote') === undefined ? given : forRemoteGroups(given, output);
    const outDir = folders.out(experiment);
    const report = join(outDir, 'report.html');
    const command = args.commandLine;
    const isUnfinished = (): boolean =>
      isStartedWith(outDir, experiment, EvaluateExperiment) && !existsSync(join(outDir, EVALUATION));
    const engine = await startEngine(args, output);
    const inputs = evaluationInputs(experiment, folders.root);
    const remote = remoteOf(args, output);
    const provenance = { command, config: experiment, seed: experiment.seed, engine, inputs };
    const options = { overwrite: args.flag('overwrite'), say: output.line, isOwn: isUnfinished };
    const evaluated = inResultFolder(outDir, provenance, options, async () => {
      const started = performance.now();
      const { node, processor, commit } = provenanceOf(provenance);
      const result = await evaluate(experiment, { ...folders, outDir, output, probe: sceneProbe, remote });
      await writeEvaluationReport(report, {
        title: `tokenfuse: ${experiment.name}`,
        created: new Date().toISOString(),
        provenance: {
          engine: engine.name,
          device: engine.device,
          ...{ node, processor, wallSeconds: (performance.now() - started) / 1000, command },
          seed: experiment.seed,
          commit: commit ?? undefined,
        },
        result,
        experiment,
      });
      writeEvaluationEvents(outDir, experiment, result);
      writeEvaluation(outDir, result);
      return result;
    });
    const { sets } = await evaluated.finally(() => remote?.close());
    output.line(`predictions and scores in ${outDir}, report: ${report}`);
    const listed = sets.map(({ name, numImages, rows }) => ({ name, numImages, rows }));
    return { outDir, engine, report, sets: listed, ...remoteResult(remote, output) };
  },
};

/** An evaluation with the groups of `--group`, whose paths start here, after its own. */
function withGroups(experiment: EvaluateExperiment, given: readonly string[]): EvaluateExperiment {
  if (given.length === 0) return experiment;
  return { ...experiment, groups: [...(experiment.groups ?? []), ...given.map((path) => resolve(path))] };
}

/**
 * An evaluation whose report traces no word: traces read parameter tokens, which the server has.
 *
 * @throws ConfigError where it is to use a part of the parameter tokens
 */
function forRemoteGroups(experiment: EvaluateExperiment, { line }: Output): EvaluateExperiment {
  const partial = (['sparse', 'prefix'] as const).find((key) => experiment[key] !== undefined);
  if (partial !== undefined)
    throw new ConfigError(
      `${partial}: expected all parameter tokens with --remote, which computes with all of a group`,
    );
  if (experiment.report.examples > 0)
    line('--remote: the report traces no words, as their parameter tokens are not here');
  return { ...experiment, report: { ...experiment.report, examples: 0 } };
}
