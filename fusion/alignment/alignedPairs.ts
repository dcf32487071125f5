import { join } from 'node:path';
import { z } from 'zod';
import { parseFile } from '#src/config';
import { readJson } from '#src/storage';
import { RUN_CONFIG, runOf } from '#src/training';

/** What is read of a run's config.json; a run of another kind has no pairs. */
const RunPairs = z.looseObject(
  {
    data: z
      .looseObject({ maxPairs: z.int('a whole number').positive('a number above 0').optional() }, 'an object')
      .optional(),
  },
  'an object',
);

/**
 * The `data.maxPairs` that an aligned model was trained with: it saw that many pairs, the first ones.
 *
 * @param path of the model: a run directory or a checkpoint folder
 * @returns undefined where it saw all pairs, and for a model that is in no run directory
 * @throws UserError when the run's configuration is damaged
 */
export function alignedPairs(path: string): number | undefined {
  const run = runOf(path);
  if (run === undefined) return undefined;
  const file = join(run, RUN_CONFIG);
  return parseFile(RunPairs, readJson(file, 'run configuration'), file).data?.maxPairs;
}
