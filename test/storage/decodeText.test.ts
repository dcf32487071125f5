import { describe, expect, it } from 'vitest';
import { decodeText, foreignEncoding } from '#src/storage';
import { userErrorLine } from '../support/thrown.js';

const line = (bytes: Uint8Array): string => userErrorLine(() => decodeText(bytes, 'file'));
const utf16 = (text: string, littleEndian: boolean): Buffer => {
  const bytes = Buffer.from(text, 'utf16le');
  return littleEndian ? bytes : bytes.swap16();
};

describe('decodeText', () => {
  it('passes over a byte order mark', () => {
    expect(decodeText(Buffer.from('\uFEFFcafé 😀'), 'file')).toBe('café 😀');
    expect(decodeText(Buffer.from('a\uFEFFb'), 'file')).toBe('a\uFEFFb');
    expect(decodeText(Buffer.alloc(0), 'file')).toBe('');
  });

  it.each([
    ['\n', 3],
    ['\r\n', 3],
    ['\r', 3],
    ['\u2028', 1],
  ])('names the line that is not UTF-8 when %j ends a line', (end, expected) => {
    const bytes = Buffer.concat([Buffer.from(`ä${end}b${end}caf`), Buffer.of(0xe9), Buffer.from(`${end}d`)]);
    expect(line(bytes)).toBe(`file: line ${expected}: expected UTF-8 text, got other bytes; save the file as UTF-8`);
  });

  it('refuses a character that the end cuts', () => {
    expect(line(Buffer.from('one\nä').subarray(0, 5))).toContain('line 2: expected UTF-8 text');
  });

  it.each([
    ['UTF-16', utf16('\uFEFFa cat', true)],
    ['UTF-16', utf16('\uFEFFa cat', false)],
    ['UTF-16', utf16('a cat on a mat', true)],
    ['UTF-16', utf16('a cat on a mat', false)],
    ['UTF-32', Buffer.of(0xff, 0xfe, 0, 0, 0x61, 0, 0, 0)],
    ['UTF-32', Buffer.of(0, 0, 0xfe, 0xff, 0, 0, 0, 0x61)],
  ])('calls %s by its name', (name, bytes) => {
    expect(line(bytes)).toBe(`file: expected UTF-8 text, got ${name}; save the file as UTF-8`);
  });

  it('calls an archive or an image by its name, and a text that begins like one text', () => {
    expect(line(Buffer.of(0x1f, 0x8b, 8, 0, 0xff, 0xff))).toBe(
      'file: expected UTF-8 text, got a gzip archive; unpack it first',
    );
    expect(line(Buffer.from('PK\x03\x04\x14\0\0\0'))).toContain('got a zip archive');
    expect(decodeText(Buffer.from('BZh is a name'), 'file')).toBe('BZh is a name');
  });

  it('refuses a null byte with its line', () => {
    expect(line(Buffer.from('a\nb\0c'))).toContain('line 2: expected UTF-8 text, got a null byte');
    expect(line(Buffer.alloc(64))).toContain('line 1: expected UTF-8 text, got a null byte');
    expect(foreignEncoding(Buffer.from('a\0b and more text without any'))).toBeUndefined();
  });
});
