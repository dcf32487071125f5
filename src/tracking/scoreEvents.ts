import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createEventWriter } from 'tensorboard-writer';
import { orDiskRefusal } from './diskRefusal.js';
import { hparamValues } from './hparamValues.js';
import { listEventFiles } from './tracker.js';

/**
 * Writes the scores of a result that has no steps as TensorBoard events in `<folder>/events`, with its configuration as a row of
 * the HPARAMS table. Those of an earlier attempt are replaced.
 *
 * @throws UserError when writing fails
 */
export function writeScoreEvents(folder: string, config: object, scores: Readonly<Record<string, number>>): void {
  const path = join(folder, 'events');
  orDiskRefusal(path, () => {
    for (const file of listEventFiles(path)) rmSync(file);
    const events = createEventWriter(path);
    try {
      events.hparams(hparamValues(config));
      events.scalars(scores, 0);
    } finally {
      events.close();
    }
  });
}
