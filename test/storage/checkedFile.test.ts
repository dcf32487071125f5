import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RunError } from '#src/errors';
import { chunkDigests, openCheckedFile } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';

const MIB = 2 ** 20;

/** Two and a half chunks of numbers. */
function fileOfChunks(): { path: string; digests: string[] } {
  const path = join(temporaryFolder(), 'file.bin');
  writeFileSync(
    path,
    Uint8Array.from({ length: 2.5 * MIB }, (_, i) => i % 251),
  );
  return { path, digests: chunkDigests(path) };
}

/** Reads some bytes of it. */
function read(path: string, digests: readonly string[], position: number, length = 10): Uint8Array {
  const file = openCheckedFile(path, digests, 'make it again');
  const into = new Uint8Array(length + 2);
  try {
    file.read(into, 1, length, position);
  } finally {
    file.close();
  }
  return into;
}

function flipBit(path: string, byte: number): void {
  const bytes = readFileSync(path);
  bytes[byte] ^= 4;
  writeFileSync(path, bytes);
}

describe('openCheckedFile', () => {
  it('reads bytes that span chunks into their place', () => {
    const { path, digests } = fileOfChunks();
    expect(digests).toHaveLength(3);
    const start = MIB - 2;
    expect([...read(path, digests, start, 4)]).toEqual([0, ...[0, 1, 2, 3].map((i) => (start + i) % 251), 0]);
  });

  it.each([0, MIB - 1, MIB, 2.5 * MIB - 1])('refuses a chunk with a flipped bit at byte %d', (byte) => {
    const { path, digests } = fileOfChunks();
    flipBit(path, byte);
    const chunk = Math.floor(byte / MIB) * MIB;
    expect(() => read(path, digests, chunk)).toThrow(RunError);
    expect(() => read(path, digests, chunk)).toThrow(
      `${path}: damaged: bytes from ${chunk} on are not those that were written; make it again`,
    );
  });

  it('reads the chunks that are whole', () => {
    const { path, digests } = fileOfChunks();
    flipBit(path, 0);
    expect(read(path, digests, MIB)[1]).toBe(MIB % 251);
  });

  it('refuses a file that was cut or has grown', () => {
    const { path, digests } = fileOfChunks();
    truncateSync(path, 2 * MIB + 5);
    expect(() => read(path, digests, 2 * MIB, 2)).toThrow(/damaged/);
    truncateSync(path, MIB);
    expect(() => read(path, digests, 2 * MIB, 2)).toThrow(/damaged/);
  });
});
