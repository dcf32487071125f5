import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadAddon } from '../../../src/engine/native/addon.js';

const script = fileURLToPath(new URL('../../../src/engine/native/build.mjs', import.meta.url));

it('without a compiler says in one line that the engine is absent, and succeeds', () => {
  const env = { ...process.env, CXX: 'no-such-compiler' };
  const printed = execFileSync(process.execPath, [script], { env, encoding: 'utf8' });
  expect(printed).toMatch(/^native engine: absent, no C\+\+ compiler was found; install g\+\+ or clang\+\+.*\n$/);
});

it('says why the compiled kernels cannot be loaded', () => {
  const folder = mkdtempSync(join(os.tmpdir(), 'tokenfuse-native-'));
  try {
    expect(loadAddon([folder])).toEqual({ reason: 'not built: tokenfuse.node is missing' });
    writeFileSync(join(folder, 'tokenfuse.node'), 'no library');
    expect(loadAddon([folder])).toEqual({ reason: expect.stringMatching(/^does not load: /) });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
