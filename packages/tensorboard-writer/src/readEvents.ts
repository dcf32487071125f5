import { decodeEvent, type Event } from './event.js';
import { EventFileError } from './eventFileError.js';
import { type EventRecord, scanRecords } from './record.js';

export interface ReadEventsOptions {
  /** Accept a last record that is not whole, as in the file of a run that is being written or was killed. */
  readonly ignoreTornTail?: boolean;
}

/**
 * Reads an event file, checking the framing and CRCs of every record.
 *
 * @throws EventFileError when the file is damaged, or ends in a torn record and `ignoreTornTail` is not set
 */
export function readEvents(path: string, options: ReadEventsOptions = {}): Event[] {
  const events: Event[] = [];
  const { wholeBytes, fileBytes } = scanRecords(path, (record) => events.push(decodeRecord(path, record)));
  if (wholeBytes < fileBytes && options.ignoreTornTail !== true) {
    throw new EventFileError(path, `torn at its end: expected a whole record at byte ${wholeBytes} of ${fileBytes}`);
  }
  return events;
}

/** The event inside a record, which may be the first of a file and then must say that it is an event file. */
export function decodeRecord(path: string, record: EventRecord): Event {
  let event: Event;
  try {
    event = decodeEvent(record.payload);
  } catch (error) {
    throw new EventFileError(path, `not an event at byte ${record.start}: ${(error as Error).message}`);
  }
  if (record.start === 0 && event.fileVersion === undefined) {
    throw new EventFileError(path, 'not an event file: its first record names no file version');
  }
  return event;
}
