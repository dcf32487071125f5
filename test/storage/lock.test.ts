import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RunError } from '#src/errors';
import { takeLock } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';

/** A lock as this process would write it, with changes. */
function lockOf(path: string, changes: object): void {
  const { release } = takeLock(path, 'x');
  const own = JSON.parse(readFileSync(path, 'utf8'));
  release();
  writeFileSync(path, JSON.stringify({ ...own, ...changes }));
}

async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--eval', '']);
  await once(child, 'exit');
  return child.pid as number;
}

describe('takeLock', () => {
  it('is held by one at a time, and given back', () => {
    const path = join(temporaryFolder(), 'a', '.lock');
    const first = takeLock(path, 'the run');
    expect(() => takeLock(path, 'the run')).toThrow(RunError);
    expect(() => takeLock(path, 'the run')).toThrow(
      /^the run: in use by process \d+ since .*; wait until it has ended/,
    );
    first.release();
    takeLock(path, 'the run').release();
    expect(readdirSync(join(path, '..'))).toEqual([]);
  });

  it('that a dead process left is taken', async () => {
    const path = join(temporaryFolder(), '.lock');
    lockOf(path, { pid: await deadProcess() });
    takeLock(path, 'x').release();
    expect(existsSync(path)).toBe(false);
  });

  it('of a process whose id was given to another one is taken', () => {
    const path = join(temporaryFolder(), '.lock');
    lockOf(path, { processStart: 'earlier' });
    takeLock(path, 'x').release();
  });

  it('from before the machine started anew is taken', () => {
    const path = join(temporaryFolder(), '.lock');
    lockOf(path, { boot: 'earlier' });
    takeLock(path, 'x').release();
  });

  it('of another machine is kept while that shows itself, and taken after 15 minutes of silence', () => {
    const path = join(temporaryFolder(), '.lock');
    lockOf(path, { hostId: 'feedbeef', host: 'elsewhere', pid: 7 });
    expect(() => takeLock(path, 'x')).toThrow(/in use by process 7 on elsewhere/);
    const longAgo = new Date(Date.now() - 16 * 60_000);
    utimesSync(path, longAgo, longAgo);
    takeLock(path, 'x').release();
  });

  it('that was cut short is taken, once it is surely not being written', () => {
    const path = join(temporaryFolder(), '.lock');
    writeFileSync(path, '{"pid');
    expect(() => takeLock(path, 'x')).toThrow('in use by another process');
    const before = new Date(Date.now() - 5000);
    utimesSync(path, before, before);
    takeLock(path, 'x').release();
  });

  it('is not removed by one that lost it', () => {
    const path = join(temporaryFolder(), '.lock');
    const { release } = takeLock(path, 'x');
    writeFileSync(path, 'of somebody else');
    release();
    expect(readFileSync(path, 'utf8')).toBe('of somebody else');
  });

  it('is given back when the process exits', async () => {
    const path = join(temporaryFolder(), '.lock');
    const storage = JSON.stringify(new URL('../../dist/src/storage/index.js', import.meta.url).href);
    const script = `const { takeLock } = await import(${storage}); takeLock(${JSON.stringify(path)}, 'x'); process.exit(3);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script]);
    expect(await once(child, 'exit')).toEqual([3, null]);
    expect(existsSync(path)).toBe(false);
  });
});
