/**
 * @file Puts the results of a finished quickstart into README.md, between its markers:
 * `npm run readme:results` after `npm run quickstart -- --upper-bound`. No number there is typed by hand.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EvaluatedSet } from '#evaluation';
import { readJson, replaceSection } from '#src/storage';
import { packageRoot } from './packageRoot.js';
import type { PipelineCheck } from './pipelineChecks.js';

const runDir = process.argv[2] ?? 'runs/quickstart';
const summary = readJson(join(runDir, 'summary.json'), 'pipeline summary') as {
  sets: EvaluatedSet[];
  checks: PipelineCheck[];
  parameters: { vision: number; language: number; trained: number };
  wallSeconds: number;
  peakMemoryBytes: number;
};
const provenance = readJson(join(runDir, 'vision', 'provenance.json'), 'provenance') as {
  engine: { name: string };
  processor: string;
  node: string;
  seed: number;
  commit: string | null;
};

const show = (value: number | null | undefined): string => (value == null ? '–' : value.toFixed(3));
/** The others are in the report. */
const SHOWN_SETS = 2;
const table = summary.sets.slice(0, SHOWN_SETS).flatMap(({ name, numImages, rows }) =>
  rows.map((row) => {
    const a = row.attributes;
    const cells = [row.captionNll, row.ciderD, a?.object, a?.relation, a?.exactScene].map(show);
    return `| ${name} (${numImages}) | ${row.name} | ${cells.join(' | ')} |`;
  }),
);
const count = (n: number): string => n.toLocaleString('en-US');
const { parameters } = summary;
const text = [
  `The quickstart's own figures (one run, seed ${provenance.seed}; engine ${provenance.engine.name}, ${provenance.processor}, Node`,
  `${provenance.node.slice(1)}, commit ${provenance.commit?.slice(0, 7) ?? 'unknown'}): ${count(parameters.trained)} parameters trained in alignment beside ${count(parameters.vision + parameters.language)}`,
  `frozen ones, ${(summary.wallSeconds / 60).toFixed(1)} minutes, peak memory ${(summary.peakMemoryBytes / 2 ** 20).toFixed(0)} MiB.`,
  '',
  '| test set (images) | captions from | NLL, nats/token | CIDEr-D | objects right | relation right | scene exact |',
  '|---|---|---|---|---|---|---|',
  ...table,
  '',
  ...summary.checks.map(({ label, passed, detail }) => `- ${passed ? '✓' : '✗'} ${label}: ${detail}`),
  '',
].join('\n');

replaceSection(fileURLToPath(new URL('README.md', packageRoot)), 'results', text);
