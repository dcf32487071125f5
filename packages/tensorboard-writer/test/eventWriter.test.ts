import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventWriter, readEvents } from '../src/index.js';

const folder = (): string => mkdtempSync(join(tmpdir(), 'event-writer-'));
const now = (): number => 1_700_000_000_250;

const PNG_1X1 = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

describe('createEventWriter', () => {
  it('names a file after the second and the suffix, never the host', () => {
    const directory = join(folder(), 'events');
    const first = createEventWriter(directory, { now });
    const second = createEventWriter(directory, { now });
    const named = createEventWriter(directory, { now, suffix: 'seed7' });
    for (const writer of [first, second, named]) writer.close();
    expect(readdirSync(directory).sort()).toEqual([
      'events.out.tfevents.1700000000.seed7',
      'events.out.tfevents.1700000000.tokenfuse',
      'events.out.tfevents.1700000000.tokenfuse.1',
    ]);
    expect(basename(second.path)).toBe('events.out.tfevents.1700000000.tokenfuse.1');
  });

  it('begins a file with its version and keeps the wall time', () => {
    const writer = createEventWriter(folder(), { now });
    writer.scalar('loss', 1.2, 3);
    writer.close();
    expect(readEvents(writer.path)).toEqual([
      { wallTime: 1_700_000_000.25, step: 0, fileVersion: 'brain.Event:2', values: [] },
      { wallTime: 1_700_000_000.25, step: 3, values: [{ kind: 'scalar', tag: 'loss', value: Math.fround(1.2) }] },
    ]);
  });

  it('encodes a scalar to the bytes of the protobuf specification', () => {
    const writer = createEventWriter(folder(), { now: () => 0 });
    writer.scalar('a', 1, 300);
    writer.close();
    const record = readFileSync(writer.path).subarray(40);
    // wall_time 0.0 | step varint 300 | summary { value { tag 'a', simple_value 1.0f } }
    expect(record.subarray(12, -4).toString('hex')).toBe('09000000000000000010ac022a0a0a080a0161150000803f');
  });

  it('round-trips scalars of any tag, value and step', () => {
    const tags = fc.dictionary(fc.string({ minLength: 1, unit: 'grapheme' }), fc.float());
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.maxSafeNat(), tags), { maxLength: 8 }), (rows) => {
        const writer = createEventWriter(folder());
        for (const [step, values] of rows) writer.scalars(values, step);
        writer.close();
        const read = readEvents(writer.path).slice(1);
        expect(read.map((event) => event.step)).toEqual(rows.map(([step]) => step));
        expect(read.map((event) => event.values)).toEqual(
          rows.map(([, values]) => Object.entries(values).map(([tag, value]) => ({ kind: 'scalar', tag, value }))),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('stores beyond the range of float32 as infinite', () => {
    const writer = createEventWriter(folder());
    writer.scalars({ big: 1e39, small: -1e39 }, 0);
    writer.close();
    expect(readEvents(writer.path)[1].values).toEqual([
      { kind: 'scalar', tag: 'big', value: Number.POSITIVE_INFINITY },
      { kind: 'scalar', tag: 'small', value: Number.NEGATIVE_INFINITY },
    ]);
  });

  it('round-trips text, an image and a histogram', () => {
    const writer = createEventWriter(folder());
    writer.text('note', '**déjà** vu 🦉', 1);
    writer.image('pixel', PNG_1X1, { width: 1, height: 1 }, 2);
    writer.histogram('w', [0, 1, 3], 3);
    writer.close();
    const [, text, image, histogram] = readEvents(writer.path).map((event) => event.values[0]);
    expect(text).toEqual({ kind: 'text', tag: 'note', markdown: '**déjà** vu 🦉' });
    expect(image).toEqual({
      kind: 'image',
      tag: 'pixel',
      image: { width: 1, height: 1, colorspace: 4, png: Uint8Array.from(PNG_1X1) },
    });
    expect(histogram).toMatchObject({
      kind: 'histogram',
      tag: 'w',
      histogram: { min: 0, max: 3, count: 3, sum: 4, sumSquares: 10 },
    });
  });

  it('marks text and hyper-parameters for their plugins', () => {
    const writer = createEventWriter(folder());
    writer.text('note', 'x', 0);
    const textEnd = statSync(writer.path).size;
    writer.hparams({ depth: 4 }, []);
    writer.close();
    const bytes = readFileSync(writer.path);
    // Value.metadata (field 9) { plugin_data (1) { plugin_name (1), content (2) } }
    expect(bytes.subarray(0, textEnd).includes(Buffer.from('\x4a\x0a\x0a\x08\x0a\x04text\x12\x00', 'latin1'))).toBe(
      true,
    );
    expect(bytes.subarray(textEnd).includes(Buffer.from('\x0a\x07hparams\x12', 'latin1'))).toBe(true);
  });

  it('round-trips hyper-parameters as an experiment and the start of a session', () => {
    const writer = createEventWriter(folder(), { now });
    writer.hparams({ learningRate: 3e-4, engine: 'wasm', tied: false, depth: 4 }, ['eval/loss', 'eval/accuracy']);
    writer.close();
    expect(readEvents(writer.path)[1].values).toEqual([
      {
        kind: 'hparams',
        tag: '_hparams_/experiment',
        content: {
          type: 'experiment',
          hparams: [
            { name: 'learningRate', type: 'number' },
            { name: 'engine', type: 'string' },
            { name: 'tied', type: 'boolean' },
            { name: 'depth', type: 'number' },
          ],
          metricTags: ['eval/loss', 'eval/accuracy'],
          createdSeconds: 1_700_000_000.25,
        },
      },
      {
        kind: 'hparams',
        tag: '_hparams_/session_start_info',
        content: {
          type: 'sessionStart',
          values: { learningRate: 3e-4, engine: 'wasm', tied: false, depth: 4 },
          startSeconds: 1_700_000_000.25,
        },
      },
    ]);
  });

  it('refuses what it cannot store, and appends nothing', () => {
    const writer = createEventWriter(folder());
    const size = statSync(writer.path).size;
    expect(() => writer.scalar('a', 1, -1)).toThrow('step: expected an integer >= 0, got -1');
    expect(() => writer.scalar('a', 1, 0.5)).toThrow('got 0.5');
    expect(() => writer.histogram('h', [], 0)).toThrow('expected at least one value');
    expect(() => writer.histogram('h', [1, Number.NaN], 0)).toThrow('got NaN at index 1');
    expect(() =>
      writer.image('i', Buffer.from('text as png, long enough to hold a header'), { width: 1, height: 1 }, 0),
    ).toThrow('expected the bytes of a PNG file');
    expect(() => writer.image('i', PNG_1X1, { width: 2, height: 1 }, 0)).toThrow(
      'expected 2x1 pixels, got a PNG of 1x1',
    );
    expect(() => writer.hparams({ lr: Number.POSITIVE_INFINITY }, [])).toThrow("as 'lr', got Infinity");
    expect(statSync(writer.path).size).toBe(size);
    writer.close();
    writer.close();
    expect(() => writer.scalar('a', 1, 0)).toThrow('got a closed one');
    expect(() => createEventWriter(folder(), { suffix: '../x' })).toThrow("got '../x'");
  });

  it('appends each event at once, readable while the writer is open', () => {
    const writer = createEventWriter(folder());
    for (let step = 0; step < 3; step++) {
      writer.scalar('loss', step, step);
      expect(readEvents(writer.path).at(-1)?.step).toBe(step);
    }
    writer.close();
  });

  it('continues an existing file without a second version record', () => {
    const first = createEventWriter(folder());
    first.scalar('loss', 1, 1);
    first.close();
    const second = createEventWriter(first.path);
    second.scalar('loss', 2, 2);
    second.close();
    expect(second.path).toBe(first.path);
    const events = readEvents(first.path);
    expect(events.map((event) => event.step)).toEqual([0, 1, 2]);
    expect(events.filter((event) => event.fileVersion !== undefined)).toHaveLength(1);
  });

  it('cuts a torn tail off before it continues, wherever the tear is', () => {
    const original = createEventWriter(folder());
    original.scalar('loss', 1, 1);
    const wholeBytes = statSync(original.path).size;
    original.scalar('loss', 2, 2);
    original.close();
    const bytes = readFileSync(original.path);
    for (let kept = 0; kept < bytes.length; kept++) {
      const path = join(folder(), 'run.tfevents');
      writeFileSync(path, bytes.subarray(0, kept));
      const writer = createEventWriter(path);
      writer.scalar('loss', 3, 3);
      writer.close();
      expect(readEvents(path).map((event) => event.step)).toEqual(kept < wholeBytes ? [0, 3] : [0, 1, 3]);
    }
  });
});
