import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSafetensors, sha256, writeSafetensors } from '#src/storage';
import { MANIFEST, readCheckpoint, writeCheckpoint } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const FILES = ['model.json', 'model.safetensors', 'optimizer.safetensors', 'state.json', 'tokenizer.json'];

function written(): string {
  const directory = join(temporaryFolder(), 'step-0000001');
  const tensors = new Map([['w', { shape: [2], values: Float32Array.of(0.5, -2) }]]);
  writeCheckpoint(
    directory,
    {
      model: { kind: 'language', config: { any: 'thing' } },
      tensors,
      assets: new Map([['tokenizer.json', Buffer.from('{}')]]),
    },
    {
      optimizer: new Map([['w/adamM', { shape: [2], values: Float32Array.of(1, 2) }]]),
      state: { step: 1, seed: 0, dataPosition: 1, bestValue: null, bestStep: null },
    },
  );
  return directory;
}

describe('the manifest of a checkpoint', () => {
  it('gives size and SHA-256 of each of its files, and of itself', () => {
    const directory = written();
    const { files, sha256: own, ...rest } = JSON.parse(readFileSync(join(directory, MANIFEST), 'utf8'));
    expect(Object.keys(files)).toEqual(FILES);
    expect(readdirSync(directory).sort()).toEqual([...FILES, MANIFEST].sort());
    for (const name of FILES) {
      const bytes = readFileSync(join(directory, name));
      expect(files[name]).toEqual({ bytes: bytes.length, sha256: sha256(bytes) });
    }
    expect(own).toBe(sha256(Buffer.from(JSON.stringify({ ...rest, files }))));
  });

  it.each([...FILES, MANIFEST])('lets no changed bit of %s pass, and names the file', (name) => {
    const directory = written();
    const path = join(directory, name);
    const whole = readFileSync(path);
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const bytes = Buffer.from(whole);
      bytes[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(path, bytes);
      expect(userErrorLine(() => readCheckpoint(directory))).toContain(path);
    }
    writeFileSync(path, whole);
    expect(readCheckpoint(directory).tensors.size).toBe(1);
  });

  it.each(FILES)('misses %s', (name) => {
    const directory = written();
    rmSync(join(directory, name));
    expect(userErrorLine(() => readCheckpoint(directory))).toContain(`${join(directory, name)}: no such file`);
  });

  it('leaves a file that it does not list alone', () => {
    const directory = written();
    writeFileSync(join(directory, 'notes.txt'), 'mine');
    expect([...readCheckpoint(directory).assets.keys()]).toEqual(['tokenizer.json']);
  });
});

describe('a checkpoint without a manifest', () => {
  it('is read, its regular files along with it', () => {
    const directory = written();
    rmSync(join(directory, MANIFEST));
    writeFileSync(join(directory, '..', 'secret'), 'not for sharing');
    symlinkSync('../secret', join(directory, 'link'));
    mkdirSync(join(directory, 'folder'));
    expect([...readCheckpoint(directory).assets.keys()]).toEqual(['tokenizer.json']);
  });

  it.each([
    ['NaN', Number.NaN],
    ['an infinite number', Number.NEGATIVE_INFINITY],
  ])('is refused for %s', (_, value) => {
    const directory = written();
    rmSync(join(directory, MANIFEST));
    const path = join(directory, 'model.safetensors');
    const { tensors } = readSafetensors(path);
    tensors.get('w')!.values[1] = value;
    writeSafetensors(path, tensors);
    expect(userErrorLine(() => readCheckpoint(directory))).toBe(
      `${path}: 'w': expected finite numbers, got ${value} at 1`,
    );
  });

  it('is refused when a file of it lies elsewhere', () => {
    const directory = written();
    rmSync(join(directory, MANIFEST));
    renameSync(join(directory, 'model.json'), join(directory, '..', 'model.json'));
    symlinkSync('../model.json', join(directory, 'model.json'));
    expect(userErrorLine(() => readCheckpoint(directory))).toContain("'model.json': expected a file inside");
  });
});
