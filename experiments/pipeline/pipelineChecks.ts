import { type Evaluation, type EvaluationRow, ROWS } from '#evaluation';
import type { MergeReport } from '#fusion';
import type { PipelineExperiment } from '../config/pipelineConfig.js';

/** Whether a finished pipeline reached what its file expects. */
export interface PipelineCheck {
  readonly label: string;
  readonly passed: boolean;
  readonly detail: string;
}

/** Compares a pipeline's scores with what it expects; hashes are always checked. */
export function checkExpectations(
  expect: PipelineExperiment['expect'],
  { sets }: Evaluation,
  { tensors }: MergeReport,
  aligned: { kept: number; total: number },
): PipelineCheck[] {
  const rowOf = (setName: string, row: string): EvaluationRow | undefined =>
    sets.find(({ name }) => name === setName)?.rows.find(({ name }) => name === row);
  const checks: PipelineCheck[] = [];
  for (const [set, least] of Object.entries(expect.objectAccuracy)) {
    const got = rowOf(set, ROWS.model.name)?.attributes?.object;
    checks.push({
      label: `object accuracy, ${set}`,
      passed: got != null && got >= least,
      detail: `${got?.toFixed(3) ?? 'not measured'} (expected at least ${least})`,
    });
  }
  const first = sets[0]?.name;
  const [model, all, blind, shuffled] = [ROWS.model, ROWS.upperBound, ROWS.blind, ROWS.shuffled].map(({ name }) =>
    rowOf(first, name),
  );
  if (expect.gapClosed !== undefined && all?.captionNll && model?.captionNll && blind?.captionNll) {
    const closed = (blind.captionNll - model.captionNll) / (blind.captionNll - all.captionNll);
    checks.push({
      label: `caption NLL gap closed between blind and train: all, ${first}`,
      passed: closed >= expect.gapClosed,
      detail: `${(100 * closed).toFixed(1)} % (expected at least ${100 * expect.gapClosed} %)`,
    });
  }
  if (expect.shuffledAboveBlind !== undefined && shuffled?.attributes && blind?.attributes) {
    const [a, b] = [shuffled.attributes.object ?? 0, blind.attributes.object ?? 0];
    checks.push({
      label: `shuffled images fall to the blind level, ${first}`,
      passed: a <= b + expect.shuffledAboveBlind,
      detail: `object accuracy ${a.toFixed(3)} shuffled, ${b.toFixed(3)} blind (margin ${expect.shuffledAboveBlind})`,
    });
  }
  const merged = tensors.filter(({ inputSha256, outputSha256 }) => inputSha256 === outputSha256).length;
  checks.push({
    label: 'backbone tensors kept, by SHA-256',
    passed: merged === tensors.length && aligned.kept === aligned.total,
    detail: `${merged} of ${tensors.length} in the merge, ${aligned.kept} of ${aligned.total} in alignment`,
  });
  return checks;
}
