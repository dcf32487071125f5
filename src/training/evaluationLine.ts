import { COLUMNS } from '#src/cli';
import { formatFigure } from '#src/tracking';
import type { TrainingTask } from './trainingTask.js';

/**
 * `vision step 500: validation loss 1.234, accuracy 0.5100 (best)`: the metric that selects first, then as many others
 * as fit.
 */
export function evaluationLine(
  label: string,
  step: number,
  metrics: Readonly<Record<string, number>>,
  { metric: selected }: TrainingTask['selectBy'],
  isBest: boolean,
): string {
  const names = [selected, ...Object.keys(metrics).filter((name) => name !== selected)];
  const texts = names.map((name) => `${name.replace(/^validation\//, '')} ${formatFigure(metrics[name])}`);
  const line = (count: number): string =>
    `${label} step ${step}: validation ${texts.slice(0, count).join(', ')}${isBest ? ' (best)' : ''}`;
  let count = texts.length;
  while (count > 1 && line(count).length > COLUMNS) count--;
  return line(count);
}
