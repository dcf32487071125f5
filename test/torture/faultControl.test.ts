import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { compileFaults, type Fault, FaultControl } from './faultControl.js';

/** Seven calls below the folder: mkdir, open, write, fsync, rename, unlink, rmdir; reading and other folders are none. */
const CALLS = `
const { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmdirSync, unlinkSync, writeFileSync, writeSync } = require('node:fs');
process.chdir(process.argv[2]);
mkdirSync('watched/made');
const file = openSync('watched/file', 'w');
writeSync(file, 'x'.repeat(1000));
fsyncSync(file);
closeSync(file);
readFileSync('watched/file');
writeFileSync('elsewhere', 'x');
renameSync('watched/file', 'watched/renamed');
unlinkSync('watched/renamed');
rmdirSync('watched/made');
`;

const compiled = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
const faults = compileFaults(compiled);
const library = 'library' in faults ? faults.library : undefined;
afterAll(() => rmSync(compiled, { recursive: true }));

describe.skipIf(library === undefined)('the library of faults', () => {
  const runWith = (at: number, fault: Fault) => {
    const folder = temporaryFolder();
    const watched = join(folder, 'watched');
    mkdirSync(watched);
    writeFileSync(join(folder, 'calls.cjs'), CALLS);
    const control = new FaultControl(join(folder, 'control'), library as string);
    control.watch(watched, at, fault);
    const env = { ...process.env, ...control.environment() };
    const { status, signal, stderr } = spawnSync(process.execPath, [join(folder, 'calls.cjs'), folder], {
      env,
      encoding: 'utf8',
    });
    const counted = control.read();
    control.close();
    return { watched, status, signal, stderr, ...counted };
  };

  it('counts the calls that change files below the folder', () => {
    expect(runWith(0, 'kill')).toMatchObject({ status: 0, calls: 7, reached: false });
  });

  it('kills before a call', () => {
    const { watched, signal, reached } = runWith(3, 'kill');
    expect([signal, reached]).toEqual(['SIGKILL', true]);
    expect(statSync(join(watched, 'file')).size).toBe(0);
  });

  it('kills in the middle of a write', () => {
    const { watched, signal } = runWith(3, 'halfThenKill');
    expect(signal).toBe('SIGKILL');
    expect(statSync(join(watched, 'file')).size).toBe(500);
  });

  it('lets the disk be full, for calls that need space', () => {
    expect(runWith(3, 'full').stderr).toContain('ENOSPC: no space left on device, write');
    // Removing needs none.
    const { watched, status, reached } = runWith(6, 'full');
    expect([status, reached]).toEqual([0, false]);
    expect(existsSync(join(watched, 'made'))).toBe(false);
  });
});
