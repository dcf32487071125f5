import { describe, expect, it } from 'vitest';
import { crc32c } from '../src/crc32c.js';
import { encodeFileVersion } from '../src/event.js';
import { encodeRecord, maskedCrc32c } from '../src/record.js';

describe('the checksum', () => {
  // RFC 3720, appendix B.4, and the check value of the CRC catalogue.
  it.each([
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['32 rising', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['32 falling', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ["'123456789'", new TextEncoder().encode('123456789'), 0xe3069283],
  ])('equals the published CRC32C of %s', (_, bytes, crc) => {
    expect(crc32c(bytes)).toBe(crc);
  });

  it('is masked by a rotation of 15 bits and a constant', () => {
    // 0xe3069283 rotated right by 15 is 0x2507c60d; plus 0xa282ead8 is 0xc78ab0e5.
    expect(maskedCrc32c(new TextEncoder().encode('123456789'))).toBe(0xc78ab0e5);
  });
});

describe('encodeRecord', () => {
  it("frames the first record as TensorFlow does: length 24, masked CRC a3 7f 4b 22, 'brain.Event:2'", () => {
    const record = encodeRecord(encodeFileVersion(1.5));
    expect(record.subarray(0, 12).toString('hex')).toBe('1800000000000000a37f4b22');
    expect(record.subarray(12, 36).toString('hex')).toBe(
      `09000000000000f83f1a0d${Buffer.from('brain.Event:2').toString('hex')}`,
    );
    expect(record.readUInt32LE(36)).toBe(maskedCrc32c(record.subarray(12, 36)));
    expect(record).toHaveLength(40);
  });

  it('frames an empty payload', () => {
    expect(encodeRecord(new Uint8Array())).toHaveLength(16);
  });
});
