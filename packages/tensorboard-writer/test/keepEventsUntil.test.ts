import { appendFileSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createEventWriter, keepEventsUntil, readEvents } from '../src/index.js';

function exampleFile(): string {
  const writer = createEventWriter(mkdtempSync(join(tmpdir(), 'keep-events-')));
  writer.hparams({ seed: 1 }, ['loss']);
  for (let step = 0; step < 5; step++) writer.scalar('loss', 1 / (step + 1), step);
  writer.close();
  return writer.path;
}

describe('keepEventsUntil', () => {
  it('keeps the records up to a step byte for byte', () => {
    const path = exampleFile();
    const before = readFileSync(path);
    keepEventsUntil(path, 2);
    const after = readFileSync(path);
    expect(before.subarray(0, after.length).equals(after)).toBe(true);
    expect(readEvents(path).map((event) => event.step)).toEqual([0, 0, 0, 1, 2]);
    expect(readdirSync(dirname(path))).toHaveLength(1);
  });

  it('keeps the version and hyper-parameters, which belong to no step', () => {
    const path = exampleFile();
    keepEventsUntil(path, -1);
    const events = readEvents(path);
    expect(events).toHaveLength(2);
    expect(events[0].fileVersion).toBe('brain.Event:2');
    expect(events[1].values[0].kind).toBe('hparams');
  });

  it('drops what it is told not to keep', () => {
    const path = exampleFile();
    keepEventsUntil(path, 3, ({ values }) => !values.some(({ kind }) => kind === 'hparams'));
    expect(readEvents(path).map((event) => event.step)).toEqual([0, 0, 1, 2, 3]);
    expect(readEvents(path)[0].fileVersion).toBe('brain.Event:2');
  });

  it('drops a torn tail, and the file can be continued', () => {
    const path = exampleFile();
    appendFileSync(path, 'torn');
    keepEventsUntil(path, 3);
    const writer = createEventWriter(path);
    writer.scalar('loss', 9, 4);
    writer.close();
    expect(readEvents(path).map((event) => event.step)).toEqual([0, 0, 0, 1, 2, 3, 4]);
  });

  it('leaves a damaged file as it is, and nothing beside it', () => {
    const path = exampleFile();
    const bytes = readFileSync(path);
    bytes[50] ^= 1;
    writeFileSync(path, bytes);
    expect(() => keepEventsUntil(path, 2)).toThrow('damaged at byte 40');
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(readdirSync(dirname(path))).toHaveLength(1);
  });
});
