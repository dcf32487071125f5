import { ConfigError } from '#src/errors';
import type { SweepExperiment, SweepStage } from '../config/sweepConfig.js';

/** The sweep that `--quick` runs, by the key `quick`. @throws ConfigError when it has none */
export function quickVariant({ quick, ...full }: SweepExperiment, path: string): SweepExperiment {
  if (quick === undefined) throw new ConfigError(`${path}: expected a key 'quick', which says what --quick runs`);
  const stages = Object.entries({ ...full.stages, ...quick.stages }).map(([name, stage]): [string, SweepStage] => [
    name,
    { ...stage, set: [...stage.set, ...(quick.set[name] ?? [])] },
  ]);
  return {
    ...full,
    name: `${full.name}-quick`,
    seeds: quick.seeds ?? full.seeds,
    stages: Object.fromEntries(stages),
    rows: full.rows.filter(({ name }) => quick.rows?.includes(name) ?? true),
    ...(full.random && { random: { ...full.random, draws: quick.draws ?? full.random.draws } }),
  };
}
