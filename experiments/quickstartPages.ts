/**
 * @file Puts the results of a finished quickstart into the documents, so that no number there is typed by hand:
 * `npm run readme:results` after `npm run quickstart -- --upper-bound`.
 *
 * - README.md: the main rows as the terminal prints them, and the checks
 * - docs/quickstart.md: every row of the first two test sets
 * - docs/figures/merge.svg: the merged model beside test images with its captions
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CaptionSample, type Evaluation, ROWS, readEvaluation } from '#evaluation';
import { mergeFigure, mergePlanPicture, thumbnail } from '#evaluation/report';
import { planMerge } from '#fusion';
import { renderTable, wrapText } from '#src/cli';
import { readJson, replaceSection, writeFileAtomic } from '#src/storage';
import { readProvenance } from '#src/training';
import { parseExperimentOf } from './config/parseExperiment.js';
import type { PipelineCheck } from './pipeline/pipelineChecks.js';
import { packageRoot } from './stages/index.js';

const runDir = process.argv[2] ?? 'runs/quickstart';
const summary = readJson(join(runDir, 'summary.json'), 'pipeline summary') as {
  sets: Evaluation['sets'];
  checks: PipelineCheck[];
  parameters: { vision: number; language: number; trained: number };
  wallSeconds: number;
  peakMemoryBytes: number;
};
const provenance = readProvenance(join(runDir, 'vision'));
const evaluation = readEvaluation(join(runDir, 'evaluation'));

const documentPath = (path: string): string => fileURLToPath(new URL(path, packageRoot));
const show = (value: number | null | undefined): string => (value == null ? '–' : value.toFixed(3));
const count = (n: number): string => n.toLocaleString('en-US');
/** The others are in the report. */
const sets = summary.sets.slice(0, 2);
const { parameters } = summary;

/** What README shows of a test set. */
const MAIN_ROWS: readonly string[] = [ROWS.model, ROWS.shuffled, ROWS.blind, ROWS.neighbour].map(({ name }) => name);

const mainTable = renderTable(
  ['test set', 'captions from', 'NLL', 'CIDEr-D', 'objects right'],
  sets.flatMap(({ name, rows }) =>
    rows
      .filter((row) => MAIN_ROWS.includes(row.name))
      .map((row) => [name, row.name, ...[row.captionNll, row.ciderD, row.attributes?.object].map(show)]),
  ),
);
const checks = summary.checks.map(({ label, passed, detail }) => `${passed ? '✓' : '✗'} ${label}: ${detail}`);
replaceSection(
  documentPath('README.md'),
  'quickstart',
  `${['```text', mainTable, '', ...checks.map((check) => wrapText(check, 78).join('\n  ')), '```', ''].join('\n')}\n`,
);

const fullTable = sets.flatMap(({ name, numImages, rows }) =>
  rows.map((row) => {
    const a = row.attributes;
    const cells = [row.captionNll, row.ciderD, a?.object, a?.relation, a?.exactScene].map(show);
    return `| ${name} (${numImages}) | ${row.name} | ${cells.join(' | ')} |`;
  }),
);
replaceSection(
  documentPath('docs/quickstart.md'),
  'results',
  [
    `One run, seed ${provenance.seed}; engine ${provenance.engine.name}, ${provenance.processor}, Node ${provenance.node.slice(1)},`,
    `commit ${provenance.commit?.slice(0, 7) ?? 'unknown'}. Alignment trained ${count(parameters.trained)} parameters; ${count(parameters.vision + parameters.language)} were frozen.`,
    `${(summary.wallSeconds / 60).toFixed(1)} minutes, peak memory ${(summary.peakMemoryBytes / 2 ** 20).toFixed(0)} MiB.`,
    '',
    '| test set (images) | captions from | NLL, nats/token | CIDEr-D | objects right | relation right | scene exact |',
    '|---|---|---|---|---|---|---|',
    ...fullTable,
    '',
    ...checks.map((check) => `- ${check}`),
    '',
  ].join('\n'),
);

const recipe = parseExperimentOf(documentPath('experiments/quickstart/merge.yaml'), ['merge'], []);
const { plan, problems } = planMerge(recipe, runDir);
if (plan === undefined) throw new Error(problems.join('\n'));
const totals = { trained: parameters.trained, frozen: parameters.vision + parameters.language };
const picture = mergePlanPicture(plan, totals);
/** All blocks are alike. */
const oneBlock = { ...picture, layers: picture.layers.filter(({ block }) => block === 0) };
/** The first images of a set: not chosen by how well they were captioned. */
const samples = evaluation.sets[0].samples.slice(0, 2);
const captioned = await Promise.all(
  samples.map(async ({ image, generated }: CaptionSample) => ({ image: await thumbnail(image), caption: generated })),
);
writeFileAtomic(documentPath('docs/figures/merge.svg'), mergeFigure(oneBlock, captioned).markup);
