import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ROWS, readEvaluation } from '#evaluation';
import { planMerge, readMergeReport } from '#fusion';
import { COLUMNS, type JsonObject, type Output, renderTable, wrapText } from '#src/cli';
import { ConfigError, didYouMean, UserError } from '#src/errors';
import { lockFolder, readText, writeJsonAtomic } from '#src/storage';
import { SITE_INDEX } from '#web';
import type { PipelineExperiment } from '../config/pipelineConfig.js';
import { requirePrecisions } from '../options/index.js';
import { runStages, type Stage } from '../stages/index.js';
import { PAGE } from './pageStage.js';
import { checkExpectations } from './pipelineChecks.js';
import type { PipelineOutcome } from './pipelineOutcome.js';
import { writePipelineReport } from './pipelineReport.js';
import { type PipelineFiles, pipelineFiles, pipelineStages, UPPER_BOUND } from './pipelineStages.js';

export interface PipelineOptions {
  /** Path of the pipeline file; stage paths start at its folder. */
  readonly path: string;
  readonly outDir: string;
  /** The command that runs it, for the report. */
  readonly command: string;
  readonly engineWords: readonly string[];
  /** Threads of all stages that run at a time together, as asked for; undefined for every core. */
  readonly threads: number | undefined;
  readonly upperBound: boolean;
  /** `stage.key=value`, changes to the stages' files. */
  readonly overrides: readonly string[];
  /** Names of the stages to run; all unless given. */
  readonly only: readonly string[] | undefined;
  /** Whether stages made with other settings are moved aside and made again. */
  readonly overwrite: boolean;
  /** Whether training goes on with more steps than before. */
  readonly extend: boolean;
  readonly output: Output;
}

/** Runs a pipeline's stages, the two backbones in parallel (and the upper bound with the bridge), and writes the report. */
export async function runPipeline(pipeline: PipelineExperiment, options: PipelineOptions): Promise<JsonObject> {
  const { outDir, engineWords, overwrite, extend, upperBound, only } = options;
  const files = pipelineFiles(pipeline, options.path, options.overrides);
  const places = { root: outDir, cacheDir: join(outDir, 'cache'), engineWords, overwrite, extend };
  // Their tables come again in the summary, all sets in one.
  const quietEvaluation = only === undefined;
  const stages = pipelineStages(files, places, { withUpperBound: upperBound, quietEvaluation });
  const chosen = only === undefined ? stages : onlyStages(stages, only);
  const trained = [files.vision, files.language, files.align];
  await requirePrecisions(trained.map(({ experiment }) => experiment.training.matmulPrecision));
  const lock = lockFolder(outDir);
  try {
    if (only === undefined) refuseOthersFiles(outDir);
    return await runChosen(pipeline, files, chosen, options);
  } finally {
    lock.release();
  }
}

/** The files that a pipeline writes beside its stages' folders, and what each of its own holds. */
const PAGES: Readonly<Record<string, string>> = { 'report.html': '<title>tokenfuse', 'summary.json': '"passed"' };

/** @throws ConfigError when the report would be written over a file that no pipeline wrote */
function refuseOthersFiles(outDir: string): void {
  for (const [name, mark] of Object.entries(PAGES)) {
    const path = join(outDir, name);
    if (!existsSync(path) || readText(path, 'report').includes(mark)) continue;
    throw new ConfigError(
      `${path}: is not of this program, and the run would write over it; move it, or choose another --out`,
    );
  }
}

async function runChosen(
  pipeline: PipelineExperiment,
  files: PipelineFiles,
  chosen: readonly Stage[],
  options: PipelineOptions,
): Promise<JsonObject> {
  const { outDir, output, upperBound, threads = availableParallelism() } = options;
  const started = performance.now();
  const { results, peakMemoryBytes } = await runStages(chosen, {
    threads,
    passThreads: options.threads !== undefined,
    output,
    onEnd: ({ name }, result) => {
      if (result === undefined) return;
      const { seconds, peakMemoryBytes: peak } = result.process;
      output.line(`${name.padEnd(9)} done in ${seconds.toFixed(0)} s, peak ${(peak / 2 ** 20).toFixed(0)} MiB`);
    },
  });
  const wallSeconds = (performance.now() - started) / 1000;
  if (options.only !== undefined) {
    return { outDir, stages: Object.fromEntries(results), wallSeconds, peakMemoryBytes };
  }

  const align = results.get('align');
  if (align === undefined) throw new Error('a pipeline without alignment');
  const mergedDir = join(outDir, files.merge.experiment.name);
  const mergeReport = readMergeReport(mergedDir);
  const { plan, problems } = planMerge(files.merge.experiment, outDir);
  if (plan === undefined) throw new UserError(problems.join('\n'));
  const evaluationDir = join(outDir, files.evaluate.experiment.name);
  const evaluation = readEvaluation(evaluationDir);
  const kept = align.backbonesKept as { kept: number; total: number };
  const outcome: PipelineOutcome = {
    name: pipeline.name,
    command: options.command,
    outDir,
    evaluation,
    plan,
    mergeReport,
    align,
    upperBound: results.get(UPPER_BOUND),
    checks: checkExpectations(pipeline.expect, evaluation, mergeReport, kept),
    page: pipeline.page === true ? `${PAGE}/${SITE_INDEX}` : undefined,
    wallSeconds,
    peakMemoryBytes,
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
  if (outcome.page !== undefined) output.line(`the model in a browser: ${join(outDir, outcome.page)}`);
  const summary = summaryJson(outcome, reportPath);
  writeJsonAtomic(join(outDir, 'summary.json'), summary);
  return summary;
}

/**
 * The named stages, in the pipeline's order.
 *
 * @throws ConfigError for a name that is none, UserError for a stage whose input is not there
 */
function onlyStages(stages: readonly Stage[], only: readonly string[]): Stage[] {
  const names = stages.map(({ name }) => name);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new ConfigError(`--only: expected ${names.join(', ')}; got '${unknown}'${didYouMean(unknown, names)}`);
  }
  const chosen = stages.filter(({ name }) => only.includes(name));
  for (const { name, needs } of chosen) {
    const missing = stages.find(
      (stage) => needs.includes(stage.name) && !chosen.includes(stage) && !stage.isComplete(),
    );
    if (missing !== undefined) {
      throw new UserError(
        `stage '${name}' needs stage '${missing.name}', which is not complete with these settings in ${missing.outDir}; repeat the --set options it was run with, run it first, or add it: --only ${[missing.name, ...only].join(',')}`,
      );
    }
  }
  return chosen;
}

function printSummary(
  { evaluation, checks, wallSeconds, peakMemoryBytes, align }: PipelineOutcome,
  reportPath: string,
  output: Output,
): void {
  const show = (value: number | null | undefined): string => (value == null ? '–' : value.toFixed(3));
  const lines = evaluation.sets.flatMap(({ name, rows }) =>
    rows.map((row) => ({
      words: [name, row.name],
      scores: {
        NLL: row.captionNll,
        'CIDEr-D': row.ciderD,
        object: row.attributes?.object,
        relation: row.attributes?.relation,
        exact: row.attributes?.exactScene,
      },
    })),
  );
  const columns = (['NLL', 'CIDEr-D', 'object', 'relation', 'exact'] as const).filter((column) =>
    lines.some(({ scores }) => scores[column] != null),
  );
  output.line();
  output.line(
    renderTable(
      ['test set', 'captions from', ...columns],
      lines.map(({ words, scores }) => [...words, ...columns.map((column) => show(scores[column]))]),
    ),
  );
  output.line();
  const count = (n: unknown): string => Number(n).toLocaleString('en-US');
  output.line(
    `parameters trained in alignment: ${count(align.trainableParameters)} of ${count(Number(align.trainableParameters) + Number(align.frozenParameters))}`,
  );
  for (const { label, passed, detail } of checks) {
    const [first, ...further] = wrapText(`${label}: ${detail}`, COLUMNS - 5);
    output.line(`${passed ? 'ok  ' : 'MISS'} ${first}`);
    for (const line of further) output.line(`     ${line}`);
  }
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
