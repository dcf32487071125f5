import { type ConfigValue, configValues } from '#src/config';
import type { RunGroup } from './comparedRuns.js';

/** A key of the configuration that is not the same in all runs of a group. */
export interface ConfigDifference {
  readonly key: string;
  /** In the order of the runs; undefined where it is not set. */
  readonly values: readonly (ConfigValue | undefined)[];
}

/** The keys that differ between the configurations of a group, in the order in which the files have them. */
export function configDifferences({ runs }: RunGroup): ConfigDifference[] {
  const configs = runs.map(({ found }) => configValues(found.config ?? {}));
  const keys = [...new Set(configs.flatMap((config) => [...config.keys()]))];
  return keys
    .map((key) => ({ key, values: configs.map((config) => config.get(key)) }))
    .filter(({ values }) => values.some((value) => value !== values[0]));
}
