/** @file TensorBoard's `Event`: a time, a step, and either the file's version or a summary of tagged values. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { readMessage, writeDouble, writeMessage, writeString } from './message.js';
import { readSummaryValue, type SummaryValue, writeSummaryValue } from './summaryValue.js';

/** What the first record of every event file says. */
export const FILE_VERSION = 'brain.Event:2';

export interface Event {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  /** Set in the first event of a file, and only there. */
  readonly fileVersion?: string;
  readonly values: readonly SummaryValue[];
}

/** The event that opens a file. */
export function encodeFileVersion(wallTime: number): Uint8Array {
  const writer = new BinaryWriter();
  writeDouble(writer, 1, wallTime);
  writeString(writer, 3, FILE_VERSION);
  return writer.finish();
}

/** An event with values of one step. */
export function encodeEvent(
  wallTime: number,
  step: number,
  values: readonly Exclude<SummaryValue, { kind: 'other' }>[],
): Uint8Array {
  const writer = new BinaryWriter();
  writeDouble(writer, 1, wallTime);
  writer.tag(2, WireType.Varint).int64(step);
  writeMessage(writer, 5, () => {
    for (const value of values) writeMessage(writer, 1, () => writeSummaryValue(writer, value));
  });
  return writer.finish();
}

/** @throws Error when the bytes are not a protobuf message of this shape */
export function decodeEvent(bytes: Uint8Array): Event {
  let [wallTime, step] = [0, 0];
  let fileVersion: string | undefined;
  const values: SummaryValue[] = [];
  readMessage(bytes, {
    1: (reader) => {
      wallTime = reader.double();
    },
    2: (reader) => {
      step = Number(reader.int64());
    },
    3: (reader) => {
      fileVersion = reader.string();
    },
    5: (reader) => readMessage(reader.bytes(), { 1: (inner) => values.push(readSummaryValue(inner.bytes())) }),
  });
  return fileVersion === undefined ? { wallTime, step, values } : { wallTime, step, fileVersion, values };
}
