import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLineWriter } from '../../serving/front/lineWriter.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

describe('a writer of lines', () => {
  it('writes them in order, and drops and counts what is too much at once', async () => {
    const path = join(temporaryFolder(), 'log');
    const descriptor = openSync(path, 'w');
    const writer = createLineWriter(descriptor);
    for (let i = 0; i < 10_005; i++) writer.write(`line ${i}`);
    await writer.flushed();
    writer.write('last');
    await writer.flushed();
    closeSync(descriptor);
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(lines.slice(0, 10_000)).toEqual(Array.from({ length: 10_000 }, (_, i) => `line ${i}`));
    expect(lines.slice(10_000)).toEqual(['{"dropped":5}', 'last']);
  });

  it('ends quietly when nobody can read it', async () => {
    const descriptor = openSync(join(temporaryFolder(), 'log'), 'w');
    const writer = createLineWriter(descriptor);
    closeSync(descriptor);
    writer.write('lost');
    await expect(writer.flushed()).resolves.toBeUndefined();
  });
});
