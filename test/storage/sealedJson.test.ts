import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSealedJson, writeSealedJson } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

describe('sealed JSON', () => {
  it('gives back what was written', () => {
    const path = join(temporaryFolder(), 'x.json');
    const value = { name: 'ü', list: [1, 0.1, null], deep: { a: true } };
    writeSealedJson(path, value);
    expect(readSealedJson(path, 'thing')).toEqual(value);
  });

  it('refuses every flipped bit, or reads the same from it', () => {
    const path = join(temporaryFolder(), 'x.json');
    const value = { step: 7, names: ['a', 'b'] };
    writeSealedJson(path, value);
    const bytes = readFileSync(path);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(path, flipped);
      let read: unknown;
      try {
        read = readSealedJson(path, 'thing');
      } catch {
        continue;
      }
      // A blank between tokens may become another kind of blank.
      expect(read).toEqual(value);
    }
  });

  it('says that it is damaged or edited', () => {
    const path = join(temporaryFolder(), 'x.json');
    writeFileSync(path, '{"step": 8, "sha256": "00"}');
    expect(userErrorLine(() => readSealedJson(path, 'thing'))).toBe(
      `${path}: damaged or edited: its content does not match the SHA-256 in it`,
    );
    writeFileSync(path, '[]');
    expect(userErrorLine(() => readSealedJson(path, 'thing'))).toContain('damaged or edited');
  });
});
