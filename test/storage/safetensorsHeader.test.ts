import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSafetensors, readSafetensorsHeader } from '#src/storage';
import { fileOf } from '../support/safetensorsBytes.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const DATA = new Uint8Array(8);
const entry = (name: string, fields = ''): string =>
  `"${name}":{"dtype":"F32","shape":[2],"data_offsets":[0,8]${fields}}`;
const sized = (shape: string, end = 8): string => `{"t":{"dtype":"F32","shape":[${shape}],"data_offsets":[0,${end}]}}`;
const nested = (depth: number): string => `{${entry('t', `,"x":${'['.repeat(depth)}${']'.repeat(depth)}`)}}`;

function written(header: string | Uint8Array, data = DATA): string {
  const path = join(temporaryFolder(), 'file.safetensors');
  writeFileSync(path, fileOf(header, data));
  return path;
}

describe('a header that the format allows', () => {
  it.each([
    ['spaces behind it', `{${entry('t')}} \n\t`],
    ['a field that is not known', `{${entry('t', ',"unit":{"a":[1.5,null,"b"]}')}}`],
    ['metadata that is null', `{"__metadata__":null,${entry('t')}}`],
    ['an empty name', `{${entry('')}}`],
    ['a name in escapes', `{${entry('\\u0061\\ud83d\\ude00')}}`],
    ['an empty tensor of many rows', `{${entry('t')},"none":{"dtype":"I16","shape":[0,1048576],"data_offsets":[8,8]}}`],
    ['nesting of 125 lists', nested(125)],
    ['elements of half a byte', '{"t":{"dtype":"F4","shape":[16],"data_offsets":[0,8]}}'],
  ])('%s', (_, header) => {
    expect([...readSafetensorsHeader(written(header)).tensors.values()].map(({ end }) => end)).toContain(
      8 + Buffer.byteLength(header) + 8,
    );
  });
});

describe('a header that is refused', () => {
  it.each([
    ['a name given twice', `{${entry('t')},${entry('t')}}`, /'t' is given twice/],
    ['a name given twice, once in escapes', `{${entry('t')},${entry('\\u0074')}}`, /'t' is given twice/],
    ['a field given twice', `{${entry('t', ',"dtype":"F32"')}}`, /'dtype' is given twice/],
    ['metadata given twice', `{"__metadata__":{},"__metadata__":{},${entry('t')}}`, /'__metadata__' is given twice/],
    ['a space before it', ` {${entry('t')}}`, /does not begin with '\{'/],
    ['a byte-order mark before it', `\ufeff{${entry('t')}}`, /does not begin with '\{'/],
    ['text that is not UTF-8', Buffer.from(`{${entry('t\xff')}}`, 'latin1'), /not UTF-8/],
    ['half a surrogate pair', `{${entry('\\ud800')}}`, /not a valid text/],
    ['a bare control character', `{${entry('a\tb')}}`, /not a valid text/],
    ['a second value', `{${entry('t')}}{}`, /more than one value/],
    ['a zero byte behind it', `{${entry('t')}}\0`, /more than one value/],
    ['a comma too many', `{${entry('t')},}`, /expected a key/],
    ['a size with a fraction', sized('2.0'), /no valid shape/],
    ['a size with an exponent', sized('2e0'), /no valid shape/],
    ['a size of minus zero', sized('-0', 0), /no valid shape/],
    ['a size with a leading zero', sized('02'), /not JSON/],
    ['a number out of range', `{${entry('t', ',"x":1e999')}}`, /out of range/],
    ['nesting of 126 lists', nested(126), /nested more than 127 deep/],
    ['more elements than 64 bits count', sized('4294967296,4294967296,0', 0), /more elements/],
    ['an entry as a list', '{"t":["F32",[2],[0,8]]}', /not an object/],
    ['a missing field', '{"t":{"dtype":"F32","shape":[2]}}', /no valid data_offsets/],
    ['a third offset', '{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}', /no valid data_offsets/],
    ['half a byte', '{"t":{"dtype":"F4","shape":[15],"data_offsets":[0,8]}}', /needs 60 bits/],
    ['a hole before a tensor', '{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', /4 bytes before tensor 't'/],
    ['bytes behind the last tensor', sized('1', 4), /last 4 bytes belong to no tensor/],
    ['bytes and no tensor', '{}', /last 8 bytes belong to no tensor/],
    ['metadata with a number', `{"__metadata__":{"a":1},${entry('t')}}`, /not an object of texts/],
    ['metadata as a list', `{"__metadata__":[],${entry('t')}}`, /not an object of texts/],
  ])('%s', (_, header, expected) => {
    const path = written(header);
    const line = userErrorLine(() => readSafetensorsHeader(path));
    expect(line).toContain(`${path}: not a valid safetensors file`);
    expect(line).toMatch(expected);
  });

  it('does not pass on escape codes or endless names', () => {
    const line = userErrorLine(() =>
      readSafetensorsHeader(written(JSON.stringify({ [`\x1b[2J${'n'.repeat(9999)}`]: 1 }))),
    );
    expect(line).not.toMatch(/\p{Cc}/u);
    expect(line.length).toBeLessThan(500);
  });

  it('a pipe, without waiting for its writer', () => {
    const path = join(temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [path]);
    expect(userErrorLine(() => readSafetensorsHeader(path))).toContain('expected a regular file');
  });
});

it('names a type that the format knows and tokenfuse does not read', () => {
  const path = written('{"t":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}}');
  expect(userErrorLine(() => readSafetensors(path))).toBe(
    `${path}: tensor 't': expected one of F32, F64, F16, BF16, I64, I32, U8, got U64`,
  );
});
