import { writeScoreEvents } from '#src/tracking';
import type { EvaluateExperiment } from './evaluateConfig.js';
import { type Evaluation, scoresByName } from './evaluation.js';

/** Writes the scores of the evaluated model for TensorBoard, `scores/<set>/<score>`, with the experiment as a row of HPARAMS. */
export function writeEvaluationEvents(
  outDir: string,
  experiment: EvaluateExperiment,
  { sets }: Pick<Evaluation, 'sets'>,
): void {
  const scores = sets.flatMap(({ name, rows: [model] }) =>
    Object.entries(scoresByName(model)).flatMap(([score, value]) =>
      value === null ? [] : [[`scores/${name}/${score}`, value] as const],
    ),
  );
  writeScoreEvents(outDir, experiment, Object.fromEntries(scores));
}
