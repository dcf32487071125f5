import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '#src/errors';
import {
  type HostTensor,
  readSafetensors,
  readSafetensorsHeader,
  readTensorBytes,
  writeSafetensors,
} from '#src/storage';
import { fileOf, float32Tensor, int64Tensor, type RawTensor, safetensorsBytes } from '../support/safetensorsBytes.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

function written(bytes: Uint8Array): string {
  const path = join(temporaryFolder(), 'file.safetensors');
  writeFileSync(path, bytes);
  return path;
}

function raw(dtype: string, shape: number[], bytes: ArrayLike<number>): RawTensor {
  return { dtype, shape, bytes: Uint8Array.from(bytes) };
}

describe('reading', () => {
  it.each([
    ['F32', raw('F32', [2], [0, 0, 128, 63, 0, 0, 0, 192]), Float32Array.of(1, -2)],
    ['F64', raw('F64', [1], [0, 0, 0, 0, 0, 0, 248, 63]), Float32Array.of(1.5)],
    ['BF16', raw('BF16', [2], [128, 63, 0, 192]), Float32Array.of(1, -2)],
    ['I32', raw('I32', [2], [255, 255, 255, 255, 1, 0, 0, 0]), Int32Array.of(-1, 1)],
    ['I64', int64Tensor([3], [-(2 ** 31), 0, 2 ** 31 - 1]), Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1)],
    ['U8', raw('U8', [2], [0, 255]), Uint8Array.of(0, 255)],
  ])('decodes %s', (_, tensor, expected) => {
    const { tensors } = readSafetensors(written(safetensorsBytes({ t: tensor })));
    expect(tensors.get('t')).toEqual({ shape: tensor.shape, values: expected });
  });

  it('decodes F16: normal, subnormal, zero, infinity', () => {
    // 1, −2, the smallest subnormal 2^−24, the largest finite 65504, −0, ∞.
    const bits = [0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000, 0x7c00];
    const tensor = raw('F16', [6], new Uint8Array(Uint16Array.from(bits).buffer));
    const { tensors } = readSafetensors(written(safetensorsBytes({ t: tensor })));
    expect([...tensors.get('t')!.values]).toEqual([1, -2, 2 ** -24, 65504, -0, Number.POSITIVE_INFINITY]);
  });

  it('decodes the F16 not-a-number', () => {
    const { tensors } = readSafetensors(written(safetensorsBytes({ t: raw('F16', [1], [1, 0x7e]) })));
    expect(tensors.get('t')!.values[0]).toBeNaN();
  });

  it('refuses an I64 that does not fit 32 bits', () => {
    const path = written(safetensorsBytes({ ids: int64Tensor([1], [2 ** 31]) }));
    expect(userErrorLine(() => readSafetensors(path))).toBe(`${path}: tensor 'ids': 2147483648 does not fit 32 bits`);
  });

  it('reads metadata, scalars and empty tensors', () => {
    const path = written(
      safetensorsBytes({ scalar: float32Tensor([], [3]), none: float32Tensor([0, 4], []) }, { act: 'softmax' }),
    );
    const { tensors, metadata } = readSafetensors(path);
    expect(metadata).toEqual({ act: 'softmax' });
    expect(tensors.get('scalar')).toEqual({ shape: [], values: Float32Array.of(3) });
    expect(tensors.get('none')).toEqual({ shape: [0, 4], values: new Float32Array(0) });
  });

  it('reads the bytes of one tensor out of many', () => {
    const path = written(safetensorsBytes({ a: float32Tensor([2], [1, 2]), b: raw('U8', [3], [7, 8, 9]) }));
    const header = readSafetensorsHeader(path);
    expect(readTensorBytes(header, 'b')).toEqual(Uint8Array.of(7, 8, 9));
    expect(readTensorBytes(header, 'a')).toEqual(new Uint8Array(Float32Array.of(1, 2).buffer));
  });

  it('names a tensor that is not there', () => {
    const header = readSafetensorsHeader(written(safetensorsBytes({ a: float32Tensor([1], [1]) })));
    expect(userErrorLine(() => readTensorBytes(header, 'b'))).toContain("expected a tensor 'b'");
  });

  it('says so when the file shrinks after its header was read', () => {
    const path = written(safetensorsBytes({ a: float32Tensor([4], [1, 2, 3, 4]) }));
    const header = readSafetensorsHeader(path);
    truncateSync(path, header.tensors.get('a')!.start + 6);
    expect(userErrorLine(() => readTensorBytes(header, 'a'))).toContain("ends inside tensor 'a'");
  });
});

describe('a header that lies', () => {
  const data = new Uint8Array(16);
  const tensor = (entry: Record<string, unknown>): string =>
    JSON.stringify({ t: { dtype: 'F32', shape: [4], data_offsets: [0, 16], ...entry } });
  const twoTensors = (a: [number, number], b: [number, number]): string =>
    JSON.stringify({
      a: { dtype: 'U8', shape: [a[1] - a[0]], data_offsets: a },
      b: { dtype: 'U8', shape: [b[1] - b[0]], data_offsets: b },
    });

  it.each([
    ['an empty file', Buffer.alloc(0), /0 bytes, fewer than the 8/],
    ['a file of seven bytes', Buffer.alloc(7), /7 bytes, fewer than the 8/],
    ['a length beyond the file', fileOf('{}', data, 1000n), /claims 1000 bytes/],
    ['a length of 2^64 − 1', fileOf('{}', data, 2n ** 64n - 1n), /claims/],
    ['no JSON', fileOf('{"t": ', data), /is not JSON/],
    ['a PNG', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), /claims/],
    ['an array', fileOf('[]', data), /does not begin with '{'/],
    ['null', fileOf('null', data), /does not begin with '{'/],
    ['an entry that is null', fileOf('{"t": null}', data), /'t' is not an object/],
    ['an unknown dtype', fileOf(tensor({ dtype: 'F8' }), data), /dtype "?F8"?; known are BOOL/],
    ['a dtype every object has', fileOf(tensor({ dtype: 'toString' }), data), /dtype "?toString"?; known are BOOL/],
    ['a dtype that is no text', fileOf(tensor({ dtype: { toString: 1 } }), data), /known are BOOL/],
    ['a negative size', fileOf(tensor({ shape: [-4] }), data), /no valid shape/],
    ['a broken size', fileOf(tensor({ shape: [1.5] }), data), /no valid shape/],
    ['a size whose product overflows', fileOf(tensor({ shape: [2 ** 50, 2 ** 50] }), data), /more elements than/],
    ['a shape that does not fit its offsets', fileOf(tensor({ shape: [3] }), data), /needs 12 bytes, .* span 16/],
    ['offsets in reverse', fileOf(tensor({ data_offsets: [16, 0] }), data), /no valid data_offsets/],
    ['one offset', fileOf(tensor({ data_offsets: [0] }), data), /no valid data_offsets/],
    ['offsets beyond the file', fileOf(tensor({ shape: [6], data_offsets: [0, 24] }), data), /ends at byte/],
    ['tensors that overlap', fileOf(twoTensors([0, 8], [4, 12]), data), /'b' overlaps/],
    ['a tensor over another one', fileOf(twoTensors([0, 12], [4, 8]), data), /'b' overlaps/],
    ['metadata that is no object', fileOf('{"__metadata__": 5}', data), /metadata/],
    ['metadata that is not text', fileOf('{"__metadata__": {"act": 5}}', data), /metadata/],
    ['a name with a line feed', fileOf(JSON.stringify({ 'a\nb': null }), data), /'a\\nb' is not an object/],
  ])('%s is one clear line that names the file', (_, bytes, expected) => {
    const path = written(bytes);
    const line = userErrorLine(() => readSafetensors(path));
    expect(line).toContain(path);
    expect(line).toMatch(expected);
  });

  it('a missing file is one clear line', () => {
    const path = join(temporaryFolder(), 'none');
    expect(userErrorLine(() => readSafetensors(path))).toBe(`cannot read tensors ${path}: no such file`);
  });

  it('a folder is one clear line', () => {
    const path = join(temporaryFolder(), 'folder');
    mkdirSync(path);
    expect(userErrorLine(() => readSafetensors(path))).toContain(`${path}: `);
  });

  it('never crashes on random bytes', () => {
    const path = written(Buffer.alloc(0));
    const entry = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom('F32', 'U8', 'I64'), fc.jsonValue()),
        shape: fc.oneof(fc.array(fc.integer({ min: -1, max: 4 })), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(fc.nat(40), fc.nat(40)), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const header = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.json().map((text) => Buffer.from(text)),
      fc.dictionary(fc.string(), fc.oneof(entry, fc.jsonValue())).map((value) => Buffer.from(JSON.stringify(value))),
    );
    const file = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.tuple(header, fc.uint8Array({ maxLength: 32 })).map(([text, data]) => fileOf(text, data)),
    );
    fc.assert(
      fc.property(file, (bytes) => {
        writeFileSync(path, bytes);
        try {
          readSafetensors(path);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          expect((error as Error).message).not.toContain('\n');
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('writing', () => {
  const shaped = (values: HostTensor['values']): HostTensor => ({ shape: [values.length], values });
  const values = fc.oneof(
    fc.float32Array({ maxLength: 9 }).map(shaped),
    fc.int32Array({ maxLength: 9 }).map(shaped),
    fc.uint8Array({ maxLength: 9 }).map(shaped),
  );

  it('is read back the same, whatever the names, types and sizes', () => {
    const path = written(Buffer.alloc(0));
    const name = fc.string().filter((text) => text !== '__metadata__' && text !== '__proto__');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, values)), fc.dictionary(name, fc.string()), (entries, metadata) => {
        const tensors = new Map(entries);
        writeSafetensors(path, tensors, metadata);
        const back = readSafetensors(path);
        expect(new Map([...back.tensors].sort())).toEqual(new Map([...tensors].sort()));
        expect(back.metadata).toEqual({ ...metadata });
      }),
    );
  });

  it('gives the same bytes for the same content in another order', () => {
    const [first, second] = [written(Buffer.alloc(0)), written(Buffer.alloc(0))];
    const [a, b] = [shaped(Float32Array.of(1, 2)), shaped(Uint8Array.of(3))];
    writeSafetensors(
      first,
      new Map([
        ['a', a],
        ['b', b],
      ]),
    );
    writeSafetensors(
      second,
      new Map([
        ['b', b],
        ['a', a],
      ]),
    );
    expect(readFileSync(first)).toEqual(readFileSync(second));
  });

  it('writes a view into a larger buffer, not the buffer', () => {
    const path = written(Buffer.alloc(0));
    writeSafetensors(path, new Map([['view', shaped(Float32Array.of(1, 2, 3, 4).subarray(1, 3))]]));
    expect(readSafetensors(path).tensors.get('view')!.values).toEqual(Float32Array.of(2, 3));
  });

  it('starts the data at a multiple of eight, as other readers expect', () => {
    const path = written(Buffer.alloc(0));
    writeSafetensors(path, new Map([['a', shaped(Uint8Array.of(1))]]));
    expect(readSafetensorsHeader(path).tensors.get('a')!.start % 8).toBe(0);
  });
});
