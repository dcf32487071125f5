import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '#src/errors';
import { type GroupDescription, readGroupFile, requireTaskGroup, writeGroupFile } from '#src/groups';
import { type HostTensor, writeSafetensors, writeSealedSafetensors } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const description: GroupDescription = {
  kind: 'task',
  group: { name: 'verse', query: 2, key: 0, value: 0, output: 0, ffn: 0 },
  backbone: 'language',
  backboneSha256: 'ab'.repeat(32),
  parameters: 12,
  origin: { experiment: { name: 'tune' }, step: 3 },
};

const tensors = new Map<string, HostTensor>([
  [
    'block0/attention/query/language.verse/keyParamTokens',
    { shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) },
  ],
  ['block0/attention/query/language.verse/valueParamTokens', { shape: [2, 3], values: new Float32Array(6) }],
  ['block0/attention/query/language.verse/tau', { shape: [], values: Float32Array.of(Math.sqrt(2)) }],
]);

function written(): string {
  const path = join(temporaryFolder(), 'verse.safetensors');
  writeGroupFile(path, description, tensors);
  return path;
}

describe('a group file', () => {
  it('gives back what was written, and is the same bytes each time', () => {
    const path = written();
    const file = readGroupFile(path);
    expect(file.description).toEqual(description);
    expect(new Map([...file.tensors].sort())).toEqual(new Map([...tensors].sort()));
    expect(readFileSync(path).equals(readFileSync(written()))).toBe(true);
  });

  it('is refused with any one bit flipped: of a thousand flips none is taken', { timeout: 60_000 }, () => {
    const path = written();
    const bytes = readFileSync(path);
    const flip = (bit: number): void => {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(path, damaged);
      expect(() => readGroupFile(path), `bit ${bit}`).toThrow(UserError);
    };
    const bits = bytes.length * 8;
    for (let i = 0; i < 1000; i++) flip(Math.floor((i * bits) / 1000));
    fc.assert(fc.property(fc.nat(bits - 1), flip), { numRuns: 200 });
  });

  it('is refused cut short at any byte, and with bytes more', () => {
    const path = written();
    const bytes = readFileSync(path);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        writeFileSync(path, bytes);
        truncateSync(path, length);
        expect(() => readGroupFile(path)).toThrow(UserError);
      }),
    );
    writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(4)]));
    expect(() => readGroupFile(path)).toThrow(UserError);
  });

  it('is refused for any other description, sealed or not', () => {
    const path = written();
    fc.assert(
      fc.property(fc.json(), (text) => {
        writeSealedSafetensors(path, tensors, { tokenfuseGroup: text });
        expect(() => readGroupFile(path)).toThrow(UserError);
      }),
    );
    writeSafetensors(path, tensors, { tokenfuseGroup: JSON.stringify(description) });
    expect(userErrorLine(() => readGroupFile(path))).toContain('without a seal');
  });

  it('is refused with numbers that are not finite', () => {
    const path = written();
    writeGroupFile(
      path,
      description,
      new Map([...tensors, ['x/tau', { shape: [], values: Float32Array.of(Number.NaN) }]]),
    );
    expect(userErrorLine(() => readGroupFile(path))).toBe(`${path}: 'x/tau': expected finite numbers, got NaN at 0`);
  });

  it('says what a bridge is for where a task group is wanted', () => {
    const path = written();
    const [visionSha256, languageSha256] = ['0'.repeat(64), '1'.repeat(64)];
    const bridge = {
      kind: 'bridge',
      name: 'b',
      visionSha256,
      languageSha256,
      parameters: 1,
      fusion: {},
      origin: {},
    } as const;
    writeGroupFile(path, bridge, tensors);
    expect(userErrorLine(() => requireTaskGroup(readGroupFile(path)))).toContain("got the bridge 'b'");
  });
});
