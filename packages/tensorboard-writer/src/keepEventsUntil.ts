import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Event } from './event.js';
import { decodeRecord } from './readEvents.js';
import { scanRecords } from './record.js';
import { writeWhole } from './writeWhole.js';

/**
 * Drops the events after a step, so that a run can be continued from there: the kept records are copied byte for byte
 * to a file aside, which then takes the place of the old one.
 *
 * Kept are the events of steps <= `step`, and those that belong to no step: the file version and hyper-parameters. A
 * torn tail is dropped.
 *
 * @param isKept says which of those stay; all unless given
 * @throws EventFileError when the file is damaged elsewhere; it is then left as it was
 */
export function keepEventsUntil(path: string, step: number, isKept: (event: Event) => boolean = () => true): void {
  // Without 'tfevents' in its name, so that TensorBoard does not load what a kill may leave of it.
  const aside = join(dirname(path), `.kept-${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
  const descriptor = openSync(aside, 'wx');
  let open = true;
  try {
    scanRecords(path, (record) => {
      const event = decodeRecord(path, record);
      const belongsToNoStep = event.fileVersion !== undefined || event.values.some((value) => value.kind === 'hparams');
      if ((belongsToNoStep || event.step <= step) && isKept(event)) writeWhole(descriptor, record.bytes);
    });
    fsyncSync(descriptor);
    closeSync(descriptor);
    open = false;
    renameSync(aside, path);
  } catch (error) {
    if (open) closeSync(descriptor);
    rmSync(aside, { force: true });
    throw error;
  }
}
