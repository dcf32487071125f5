import type { HparamValue } from 'tensorboard-writer';
import { configValues } from '#src/config';

/** More columns than anyone compares, or texts longer than a cell. */
const [MOST_VALUES, MOST_CHARACTERS] = [200, 200];

/** A configuration as columns of TensorBoard's HPARAMS table, by path. What is not set is left out. */
export function hparamValues(config: object): Record<string, HparamValue> {
  const set = [...configValues(config)].filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(
    set
      .slice(0, MOST_VALUES)
      .map(([key, value]) => [key, typeof value === 'string' ? value.slice(0, MOST_CHARACTERS) : value]),
  ) as Record<string, HparamValue>;
}
