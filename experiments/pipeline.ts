import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Evaluation, ROWS } from '#evaluation';
import { MERGE_REPORT, type MergeReport, planMerge } from '#fusion';
import { readBpeModel } from '#language';
import { type JsonObject, type Output, renderTable } from '#src/cli';
import { ConfigError, UserError } from '#src/errors';
import { readJson, writeJsonAtomic } from '#src/storage';
import { type ChildResult, type ChildStage, startChild } from './childStage.js';
import { requirePrecisions } from './engineOption.js';
import { type ExperimentKind, parseExperimentOf } from './parseExperiment.js';
import { checkExpectations } from './pipelineChecks.js';
import type { PipelineExperiment } from './pipelineConfig.js';
import type { PipelineOutcome } from './pipelineOutcome.js';
import { writePipelineReport } from './pipelineReport.js';

export interface PipelineOptions {
  /** Path of the pipeline file; stage paths start at its folder. */
  readonly path: string;
  readonly outDir: string;
  readonly engineWords: readonly string[];
  /** Threads of all stages that run at a time together, as asked for; undefined for every core. */
  readonly threads: number | undefined;
  readonly upperBound: boolean;
  readonly output: Output;
}

/** Name of the run that aligns a copy with `train: all`. */
const UPPER_BOUND = 'align-all';

/** Runs all stages in order, the two backbones (and the upper bound beside the bridge) side by side. */
export async function runPipeline(pipeline: PipelineExperiment, options: PipelineOptions): Promise<JsonObject> {
  const { outDir, output, engineWords, threads = availableParallelism() } = options;
  const started = performance.now();
  const files = stageFiles(pipeline, options.path);
  if (files.align.experiment.train === 'all') {
    throw new ConfigError(
      `${files.align.path}: 'train': expected bridge groups, got 'all'; --upper-bound aligns a copy with train: all`,
    );
  }
  const trained = [files.vision, files.language, files.align];
  await requirePrecisions(trained.map(({ experiment }) => experiment.training.matmulPrecision));
  const common = ['--root', outDir, '--cache-dir', join(outDir, 'cache')];
  const peaks: number[] = [];
  const failure = new AbortController();
  let sideBySide = 1;
  const running = new Set<ChildStage>();
  const share = (): number => Math.max(1, Math.floor(threads / sideBySide));
  /** Words of the stages that compute. */
  const compute = (): string[] => [
    ...common,
    ...engineWords,
    ...(options.threads === undefined ? [] : ['--threads', String(share())]),
  ];
  const stage = async (name: string, words: readonly string[], lines: Output = output): Promise<ChildResult> => {
    const child = startChild(name, words, lines, failure.signal, sideBySide > 1 ? share() : undefined);
    running.add(child);
    const result = await child.finished.catch((error: unknown) => {
      failure.abort();
      throw error;
    });
    // Stages that run on take over the threads of one that has ended.
    running.delete(child);
    for (const other of running) other.setThreads(Math.max(1, Math.floor(threads / running.size)));
    output.line(
      `${name.padEnd(9)} done in ${result.process.seconds.toFixed(0)} s, peak ${(result.process.peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`,
    );
    peaks.push(result.process.peakMemoryBytes);
    return result;
  };
  /** Runs stages side by side where there are threads for it; their peaks add. */
  const together = async (stages: readonly (() => Promise<ChildResult>)[]): Promise<ChildResult[]> => {
    const before = peaks.length;
    const results: ChildResult[] = [];
    const parallel = threads > 1;
    sideBySide = parallel ? stages.length : 1;
    if (parallel) results.push(...(await Promise.all(stages.map((run) => run()))));
    else for (const run of stages) results.push(await run());
    sideBySide = 1;
    if (parallel) peaks.push(peaks.slice(before).reduce((sum, peak) => sum + peak, 0));
    return results;
  };

  await stage('data', ['scenes', files.scenes.path, '--root', outDir]);
  const tokenizer = files.tokenizer.experiment;
  const tokenizerPath = join(outDir, tokenizer.name, 'tokenizer.json');
  if (!existsSync(tokenizerPath)) {
    const sources = tokenizer.files.map((file) => resolve(outDir, file));
    const settings = ['--vocab-size', String(tokenizer.vocabSize), '--min-frequency', String(tokenizer.minFrequency)];
    await stage('tokenizer', ['tokenizer', 'train', ...sources, ...settings, '--out', tokenizerPath]);
  } else if (readBpeModel(tokenizerPath).tokens.length + 1 !== tokenizer.vocabSize) {
    // The end-of-text token is the one more.
    throw new ConfigError(`${tokenizerPath}: has another vocabSize than ${files.tokenizer.path}; choose another --out`);
  }
  await together([
    () => stage('vision', ['train', files.vision.path, ...compute(), '--resume']),
    () => stage('language', ['train', files.language.path, ...compute(), '--resume']),
  ]);

  const recipe = files.merge.experiment;
  const mergedDir = join(outDir, recipe.name);
  const { plan, problems } = planMerge(recipe, outDir);
  if (plan === undefined) throw new UserError(problems.join('\n'));
  if (!existsSync(join(mergedDir, MERGE_REPORT))) await stage('merge', ['merge', files.merge.path, '--root', outDir]);
  const mergeReport = readJson(join(mergedDir, MERGE_REPORT), 'merge report') as MergeReport;
  if (!isDeepStrictEqual(mergeReport.recipe, recipe)) {
    throw new ConfigError(`${mergedDir}: was merged by another recipe than ${files.merge.path}; choose another --out`);
  }

  const boundWords = [
    ...['train=all', ...pipeline.upperBound].flatMap((override) => ['--set', override]),
    ...['--out', join(outDir, UPPER_BOUND)],
  ];
  const [align, upperBound] = await together([
    () => stage('align', ['align', files.align.path, ...compute(), '--resume']),
    ...(options.upperBound
      ? [() => stage(UPPER_BOUND, ['align', files.align.path, ...compute(), '--resume', ...boundWords])]
      : []),
  ]);
  const evaluateWords = upperBound ? ['--set', `upperBound=${UPPER_BOUND}`] : [];
  // Its tables come again in the summary, all sets in one.
  const silent: Output = { line: () => undefined, interactive: false };
  await stage('evaluate', ['evaluate', files.evaluate.path, ...compute(), ...evaluateWords], silent);

  const evaluationDir = join(outDir, files.evaluate.experiment.name);
  const evaluation = readJson(join(evaluationDir, 'evaluation.json'), 'evaluation') as Evaluation;
  const kept = align.backbonesKept as { kept: number; total: number };
  const outcome: PipelineOutcome = {
    name: pipeline.name,
    command: `tokenfuse run ${options.path}${upperBound ? ' --upper-bound' : ''}`,
    outDir,
    evaluation,
    plan,
    mergeReport,
    align,
    upperBound,
    checks: checkExpectations(pipeline.expect, evaluation, mergeReport, kept),
    wallSeconds: (performance.now() - started) / 1000,
    peakMemoryBytes: Math.max(...peaks),
    runs: [
      { stage: 'vision', runDir: join(outDir, files.vision.experiment.name) },
      { stage: 'language', runDir: join(outDir, files.language.experiment.name) },
      { stage: 'align', runDir: join(outDir, files.align.experiment.name) },
      ...(upperBound ? [{ stage: ROWS.upperBound.name, runDir: join(outDir, UPPER_BOUND) }] : []),
    ],
  };
  const reportPath = join(outDir, 'report.html');
  await writePipelineReport(reportPath, outcome);
  printSummary(outcome, reportPath, output);
  output.line(`image by image: ${join(evaluationDir, 'report.html')}`);
  const summary = summaryJson(outcome, reportPath);
  writeJsonAtomic(join(outDir, 'summary.json'), summary);
  return summary;
}

/** Reads and checks every stage's file before anything runs. */
function stageFiles(pipeline: PipelineExperiment, path: string) {
  const folder = dirname(resolve(path));
  const open = <K extends ExperimentKind & keyof PipelineExperiment>(kind: K) => {
    const file = join(folder, pipeline[kind] as string);
    return { path: file, experiment: parseExperimentOf(file, [kind]) };
  };
  const files = {
    scenes: open('scenes'),
    tokenizer: open('tokenizer'),
    vision: open('vision'),
    language: open('language'),
    merge: open('merge'),
    align: open('align'),
    evaluate: open('evaluate'),
  };
  const { merge, align, evaluate } = files;
  parseExperimentOf(align.path, ['align'], pipeline.upperBound);
  const references = [
    [merge.path, 'vision', merge.experiment.vision, files.vision.experiment.name],
    [merge.path, 'language', merge.experiment.language, files.language.experiment.name],
    [align.path, 'model', align.experiment.model, merge.experiment.name],
    [evaluate.path, 'model', evaluate.experiment.model, align.experiment.name],
  ];
  const wrong = references.filter(([, , got, expected]) => got !== expected);
  if (wrong.length > 0) {
    throw new ConfigError(
      wrong.map(
        ([file, key, got, expected]) =>
          `${file}: '${key}': expected '${expected}', the name of that stage; got '${got}'`,
      ),
    );
  }
  return files;
}

function printSummary(
  { evaluation, checks, wallSeconds, peakMemoryBytes, align }: PipelineOutcome,
  reportPath: string,
  output: Output,
): void {
  const show = (value: number | null | undefined): string => (value == null ? '–' : value.toFixed(3));
  const rows = evaluation.sets.flatMap(({ name, rows: setRows }) =>
    setRows.map((row) => [
      name,
      row.name,
      ...[row.captionNll, row.ciderD, row.attributes?.object, row.attributes?.relation, row.attributes?.exactScene].map(
        show,
      ),
    ]),
  );
  output.line();
  output.line(renderTable(['test set', 'captions from', 'NLL', 'CIDEr-D', 'object', 'relation', 'exact'], rows));
  output.line();
  const count = (n: unknown): string => Number(n).toLocaleString('en-US');
  output.line(
    `parameters trained in alignment: ${count(align.trainableParameters)} of ${count(Number(align.trainableParameters) + Number(align.frozenParameters))}`,
  );
  for (const { label, passed, detail } of checks) output.line(`${passed ? 'ok  ' : 'MISS'} ${label}: ${detail}`);
  output.line(`${(wallSeconds / 60).toFixed(1)} minutes, peak memory ${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`);
  output.line(`report: ${reportPath}`);
}

function summaryJson(
  { evaluation, checks, wallSeconds, peakMemoryBytes, align, mergeReport }: PipelineOutcome,
  report: string,
): JsonObject {
  return {
    passed: checks.every(({ passed }) => passed),
    decoding: evaluation.decoding,
    sets: evaluation.sets.map(({ name, numImages, rows }) => ({ name, numImages, rows })),
    checks,
    parameters: { ...mergeReport.parameters, trained: align.trainableParameters },
    wallSeconds,
    peakMemoryBytes,
    report,
  };
}
