import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const PREFIX = 'tokenfuse-tests-';

/**
 * A folder for all that the tests write, removed with what they leave behind when they have ended. The projects of a run share one:
 * a path within another would be too long for the sockets of a browser (107 bytes).
 */
export default function setup(): () => void {
  const before = process.env.TMPDIR;
  if (before !== undefined && basename(before).startsWith(PREFIX)) return () => undefined;
  const root = mkdtempSync(join(tmpdir(), PREFIX));
  process.env.TMPDIR = root;
  return () => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(root, { recursive: true, force: true });
  };
}
