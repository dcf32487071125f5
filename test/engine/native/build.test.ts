import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { findAddon, loadAddon } from '../../../src/engine/native/addon.js';

const script = fileURLToPath(new URL('../../../src/engine/native/build.mjs', import.meta.url));

function inFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(os.tmpdir(), 'tokenfuse-native-'));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs the build with another compiler; returns what it printed. */
function build(folder: string, compiler: string): string {
  const env = { ...process.env, CXX: compiler };
  return execFileSync(process.execPath, [script, '--out', folder], { env, encoding: 'utf8' });
}

it('without a compiler says in one line that the engine is absent, and succeeds', () => {
  inFolder((folder) => {
    expect(build(folder, 'no-such-compiler')).toMatch(
      /^native engine: absent, no C\+\+ compiler was found; install g\+\+ or clang\+\+.*\n$/,
    );
    expect(loadAddon([folder])).toEqual({
      reason: 'not built: no C++ compiler was found',
      remedy: 'install g++ or clang++ (or set CXX), then run `npm run build`',
    });
  });
});

it('with a compiler that fails does not advise to install one, and keeps all that it said', () => {
  inFolder((folder) => {
    const compiler = join(folder, 'broken');
    const script =
      '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho warming up >&2\necho fatal error: no disk >&2\nexit 1\n';
    writeFileSync(compiler, script, { mode: 0o755 });
    const log = join(folder, 'tokenfuse.node.log');
    expect(build(folder, compiler)).toBe(`native engine: absent, ${compiler}: fatal error: no disk; see ${log}\n`);
    expect(readFileSync(log, 'utf8')).toContain('warming up\nfatal error: no disk');
    expect(loadAddon([folder])).toEqual({
      reason: `not built: ${compiler}: fatal error: no disk`,
      remedy: `see ${log}`,
    });
  });
});

it('says why the compiled kernels cannot be loaded', () => {
  inFolder((folder) => {
    expect(loadAddon([folder])).toMatchObject({ reason: 'not built: tokenfuse.node is missing' });
    writeFileSync(join(folder, 'tokenfuse.node'), 'no library');
    expect(loadAddon([folder])).toEqual({
      reason: expect.stringMatching(/^does not load: /),
      remedy: 'run `npm run build` on this machine',
    });
  });
});

const module = findAddon();

it.skipIf(process.platform !== 'linux' || module === undefined)('guards the stack and its table of functions', () => {
  const bytes = readFileSync(module!);
  expect(bytes.includes('__stack_chk_fail')).toBe(true);
  const headers = programHeaders(bytes);
  const stack = headers.find(({ type }) => type === 0x6474e551);
  expect(stack!.flags & 1, 'a stack that can be run').toBe(0);
  expect(
    headers.some(({ type }) => type === 0x6474e552),
    'read-only after loading',
  ).toBe(true);
  const dynamic = headers.find(({ type }) => type === 2)!;
  const entries = Array.from({ length: dynamic.size / 16 }, (_, i) => [
    bytes.readBigUInt64LE(dynamic.offset + 16 * i),
    bytes.readBigUInt64LE(dynamic.offset + 16 * i + 8),
  ]);
  const flags = entries.find(([tag]) => tag === 0x6ffffffbn)?.[1] ?? 0n;
  expect(flags & 1n, 'bound at loading').toBe(1n);
});

/** Type, flags, place and length of each segment of a 64-bit ELF file. */
function programHeaders(bytes: Buffer) {
  const start = Number(bytes.readBigUInt64LE(32));
  const [size, count] = [bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  return Array.from({ length: count }, (_, i) => {
    const at = start + i * size;
    return {
      type: bytes.readUInt32LE(at),
      flags: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 8)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
    };
  });
}
