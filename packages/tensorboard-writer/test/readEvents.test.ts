import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventWriter, EventFileError, readEvents } from '../src/index.js';
import { encodeRecord } from '../src/record.js';

const temporary = (name = 'run.tfevents'): string => join(mkdtempSync(join(tmpdir(), 'read-events-')), name);

/** A file of a version record (40 bytes) and scalars at steps 1..3, and where each record ends. */
function exampleFile(): { path: string; bytes: Buffer; ends: number[] } {
  const path = temporary();
  const writer = createEventWriter(path);
  const ends = [readFileSync(path).length];
  for (let step = 1; step <= 3; step++) {
    writer.scalar('loss', step, step);
    ends.push(readFileSync(path).length);
  }
  writer.close();
  return { path, bytes: readFileSync(path), ends };
}

const example = exampleFile();

function fileOf(bytes: Uint8Array): string {
  const path = temporary();
  writeFileSync(path, bytes);
  return path;
}

describe('readEvents', () => {
  it('reports a torn tail with the byte where it begins, or reads up to it', () => {
    const path = fileOf(example.bytes.subarray(0, example.ends[2] + 5));
    expect(() => readEvents(path)).toThrow(`torn at its end: expected a whole record at byte ${example.ends[2]}`);
    expect(readEvents(path, { ignoreTornTail: true }).map((event) => event.step)).toEqual([0, 1, 2]);
  });

  it('reads the whole records of any prefix', () => {
    fc.assert(
      fc.property(fc.nat(example.bytes.length), (kept) => {
        const events = readEvents(fileOf(example.bytes.subarray(0, kept)), { ignoreTornTail: true });
        expect(events).toHaveLength(example.ends.filter((end) => end <= kept).length);
      }),
    );
  });

  it('takes blocks of zeros after a power cut for a torn tail', () => {
    const zeroed = Buffer.concat([example.bytes.subarray(0, example.ends[2]), Buffer.alloc(100)]);
    expect(readEvents(fileOf(zeroed), { ignoreTornTail: true })).toHaveLength(3);
    const lengthAlone = Buffer.concat([example.bytes.subarray(0, example.ends[2] + 12), Buffer.alloc(100)]);
    expect(readEvents(fileOf(lengthAlone), { ignoreTornTail: true })).toHaveLength(3);
  });

  it('never passes over a flipped bit', () => {
    fc.assert(
      fc.property(fc.nat(example.bytes.length - 1), fc.nat(7), (index, bit) => {
        const damaged = Buffer.from(example.bytes);
        damaged[index] ^= 1 << bit;
        expect(() => readEvents(fileOf(damaged))).toThrow(EventFileError);
      }),
    );
  });

  it('names the byte of damage in the middle, even when torn tails are ignored', () => {
    const damaged = Buffer.from(example.bytes);
    damaged[example.ends[0] + 20] ^= 1;
    expect(() => readEvents(fileOf(damaged), { ignoreTornTail: true })).toThrow(
      `damaged at byte ${example.ends[0]}: the payload of the record does not match its CRC`,
    );
  });

  it('refuses a file that is something else', () => {
    expect(() => readEvents(fileOf(Buffer.from('a text, long enough to hold a header')))).toThrow('damaged at byte 0');
    expect(() => readEvents(fileOf(encodeRecord(new Uint8Array())))).toThrow('names no file version');
    expect(() => readEvents(fileOf(encodeRecord(Uint8Array.of(0x1a, 0x7f))))).toThrow('not an event at byte 0');
  });

  it('passes values of other writers through as other', () => {
    // Summary.Value { tag 'pr', metadata { plugin_data { plugin_name 'pr_curves' } } }
    const value = Buffer.from('\x0a\x02pr\x4a\x0d\x0a\x0b\x0a\x09pr_curves', 'latin1');
    const event = Buffer.concat([Buffer.of(0x10, 5, 0x2a, value.length + 2, 0x0a, value.length), value]);
    const path = fileOf(Buffer.concat([example.bytes.subarray(0, example.ends[0]), encodeRecord(event)]));
    expect(readEvents(path)[1]).toEqual({
      wallTime: 0,
      step: 5,
      values: [{ kind: 'other', tag: 'pr', plugin: 'pr_curves' }],
    });
  });
});
