/** @file Nested protobuf messages on top of the wire reader and writer of `@bufbuild/protobuf`. */
import { BinaryReader, type BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Writes `body` as the message in field `number`. */
export function writeMessage(writer: BinaryWriter, number: number, body: (writer: BinaryWriter) => void): void {
  writer.tag(number, WireType.LengthDelimited).fork();
  body(writer);
  writer.join();
}

export function writeString(writer: BinaryWriter, number: number, value: string): void {
  writer.tag(number, WireType.LengthDelimited).string(value);
}

export function writeBytes(writer: BinaryWriter, number: number, value: Uint8Array): void {
  writer.tag(number, WireType.LengthDelimited).bytes(value);
}

export function writeDouble(writer: BinaryWriter, number: number, value: number): void {
  writer.tag(number, WireType.Bit64).double(value);
}

/** A `repeated double`, packed. */
export function writeDoubles(writer: BinaryWriter, number: number, values: readonly number[]): void {
  writeMessage(writer, number, () => {
    for (const value of values) writer.double(value);
  });
}

/** A `repeated double`, packed or not, appended to `values`. */
export function readDoubles(reader: BinaryReader, wireType: WireType, values: number[]): void {
  if (wireType === WireType.Bit64) {
    values.push(reader.double());
    return;
  }
  const packed = new BinaryReader(reader.bytes());
  while (packed.pos < packed.len) values.push(packed.double());
}

/** Reads a message: each field goes to its handler, which must consume it; fields without one are skipped. */
export function readMessage(
  bytes: Uint8Array,
  handlers: Readonly<Record<number, (reader: BinaryReader, wireType: WireType) => void>>,
): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const handler = handlers[number];
    if (handler === undefined) reader.skip(wireType, number);
    else handler(reader, wireType);
  }
}
