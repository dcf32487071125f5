import { join } from 'node:path';
import { readEvaluation } from '#evaluation';
import { ConfigError, namesInLine } from '#src/errors';
import { readMetrics } from '#src/tracking';
import type { SweepScore } from '../config/sweepConfig.js';
import { studySet } from './fusionRecord.js';
import type { ChainStage } from './sweepChain.js';

/** The values of a metric over the steps of a run, one of which is taken. */
const TAKES = {
  first: (values: readonly number[]) => values[0],
  last: (values: readonly number[]) => values[values.length - 1],
  lowest: (values: readonly number[]) => values.reduce((low, value) => Math.min(low, value)),
  highest: (values: readonly number[]) => values.reduce((high, value) => Math.max(high, value)),
};

/**
 * A score of a row's finished stages; null for a row without the score's stage.
 *
 * @param root the sweep's folder
 * @throws ConfigError when the stage has no such metric or test set
 */
export function readScore(score: SweepScore, chain: readonly ChainStage[], root: string): number | null {
  const { name, stage: of, metric, take = 'last', evaluation, set } = score;
  const stage = of === undefined ? chain.at(-1) : chain.find((candidate) => [of].flat().includes(candidate.name));
  if (stage === undefined) return null;
  const folder = join(root, stage.folder);
  const expected = (what: string, known: readonly string[]): ConfigError =>
    new ConfigError(`score '${name}': expected ${what} of stage '${stage.name}', in ${folder}: ${namesInLine(known)}`);
  if (evaluation !== undefined) {
    const { sets } = readEvaluation(folder);
    const found = set === undefined ? sets[0] : sets.find((candidate) => candidate.name === set);
    if (found === undefined)
      throw expected(
        'a test set',
        sets.map((candidate) => candidate.name),
      );
    return studySet(found).rows[0].scores[evaluation] ?? null;
  }
  const entries = readMetrics(folder);
  const values = entries.flatMap((entry) => entry.values[metric ?? ''] ?? []);
  if (values.length === 0)
    throw expected('a metric', [...new Set(entries.flatMap((entry) => Object.keys(entry.values)))]);
  return TAKES[take](values);
}
