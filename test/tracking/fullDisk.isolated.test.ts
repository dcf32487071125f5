import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEvents } from 'tensorboard-writer';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { UserError } from '#src/errors';
import { createTracker, listEventFiles, readMetrics } from '#src/tracking';

const disk = vi.hoisted(() => ({ bytesLeft: Number.POSITIVE_INFINITY }));

vi.mock('node:fs', async (importOriginal) => {
  const { onLimitedDisk } = await import('../support/limitedDisk.js');
  return onLimitedDisk(await importOriginal<typeof import('node:fs')>(), disk);
});

afterEach(() => {
  disk.bytesLeft = Number.POSITIVE_INFINITY;
});

describe('a full disk', () => {
  // A line of {"step":2,"loss":1}\n has 20 bytes; what is left after it goes to the event.
  it.each([
    [10, 'metrics.jsonl', 1],
    [30, 'tfevents', 2],
  ])('with %i bytes left stops the run at %s and leaves whole records', (bytesLeft, file, lines) => {
    const runDir = join(mkdtempSync(join(tmpdir(), 'full-disk-')), 'run');
    const tracker = createTracker({ runDir });
    tracker.log(1, { loss: 1 });
    disk.bytesLeft = bytesLeft;
    let failure: unknown;
    try {
      tracker.log(2, { loss: 1 });
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as Error).message).toMatch(
      new RegExp(`^cannot write .*${file}.*: the disk is full: free some space`),
    );
    tracker.close();
    expect(readFileSync(join(runDir, 'metrics.jsonl'), 'utf8').endsWith('}\n')).toBe(true);
    expect(readMetrics(runDir)).toHaveLength(lines);
    expect(readEvents(listEventFiles(join(runDir, 'events'))[0])).toHaveLength(2);
  });
});
