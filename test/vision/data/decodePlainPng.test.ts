import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { createRandom } from '#src/random';
import { decodePlainPng } from '../../../vision/data/decodePlainPng.js';

const SIDE = 40;
const ROW = SIDE * 3;
const random = createRandom(1, 'picture');
const PIXELS = Uint8Array.from({ length: SIDE * ROW }, () => random.integer(256));

/** PIXELS after row filter `filter`, each row after the filter's number. https://www.w3.org/TR/png-3/#9Filters */
function filtered(filter: number): Uint8Array {
  const at = (x: number, y: number) => (x < 0 || y < 0 ? 0 : PIXELS[y * ROW + x]);
  const rows = new Uint8Array(SIDE * (ROW + 1));
  for (let y = 0; y < SIDE; y++) {
    rows[y * (ROW + 1)] = filter;
    for (let x = 0; x < ROW; x++) {
      const [left, up, corner] = [at(x - 3, y), at(x, y - 1), at(x - 3, y - 1)];
      const nearest = [left, up, corner].sort((p, q) => {
        const distance = (v: number) => Math.abs(left + up - corner - v);
        return distance(p) - distance(q); // a stable sort keeps left, up, corner where they tie
      })[0];
      rows[y * (ROW + 1) + 1 + x] = at(x, y) - [0, left, up, (left + up) >> 1, nearest][filter];
    }
  }
  return rows;
}

function chunk(type: string, data: Uint8Array): Buffer {
  const framed = Buffer.concat([Buffer.alloc(4), Buffer.from(type, 'latin1'), data, Buffer.alloc(4)]);
  framed.writeUInt32BE(data.length, 0);
  framed.writeUInt32BE(crc32(framed.subarray(4, -4)), framed.length - 4);
  return framed;
}

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const END = chunk('IEND', new Uint8Array());
function header(settings = [8, 2, 0, 0, 0], side = SIDE): Buffer {
  return chunk('IHDR', Uint8Array.of(0, 0, 0, side, 0, 0, 0, side, ...settings));
}
const data = (rows: Uint8Array): Buffer => chunk('IDAT', deflateSync(rows));
const png = (...chunks: Uint8Array[]): Buffer => Buffer.concat([SIGNATURE, ...chunks]);

describe('decodePlainPng', () => {
  it.each([0, 1, 2, 3, 4])('undoes row filter %i, as sharp does', async (filter) => {
    const bytes = png(header(), data(filtered(filter)), END);
    const bySharp = await sharp(bytes, { failOn: 'warning' }).raw().toBuffer();
    expect(new Uint8Array(bySharp)).toEqual(PIXELS);
    expect(decodePlainPng(bytes, SIDE)).toEqual(PIXELS);
  });

  it("reads sharp's own files, and data in several chunks", async () => {
    const image = sharp(PIXELS, { raw: { width: SIDE, height: SIDE, channels: 3 } });
    expect(decodePlainPng(await image.png().toBuffer(), SIDE)).toEqual(PIXELS);
    const compressed = deflateSync(filtered(4));
    const parts = [compressed.subarray(0, 100), compressed.subarray(100)].map((part) => chunk('IDAT', part));
    expect(decodePlainPng(png(header(), ...parts, END), SIDE)).toEqual(PIXELS);
  });

  const rows = filtered(0);
  const whole = png(header(), data(rows), END);
  const damaged = Buffer.from(whole);
  damaged[60] ^= 1;
  const wrongSum = deflateSync(rows);
  wrongSum[wrongSum.length - 1] ^= 1;
  it.each<[string, Uint8Array]>([
    ['text', Buffer.from('hello')],
    ['nothing', new Uint8Array()],
    ['a cut file', whole.subarray(0, whole.length - END.length)],
    ['a cut chunk', whole.subarray(0, 200)],
    ['a wrong checksum of a chunk', damaged],
    ['a wrong checksum of the data', png(header(), chunk('IDAT', wrongSum), END)],
    ['too few rows', png(header(), data(rows.subarray(ROW + 1)), END)],
    ['too many rows', png(header(), data(Buffer.concat([rows, rows])), END)],
    ['an unknown row filter', png(header(), data(rows.with(0, 5)), END)],
    ['another size', png(header(undefined, SIDE + 1), data(rows), END)],
    ['grey levels', png(header([8, 0, 0, 0, 0]), data(rows), END)],
    ['16 bits', png(header([16, 2, 0, 0, 0]), data(rows), END)],
    ['interlaced rows', png(header([8, 2, 0, 0, 1]), data(rows), END)],
    ['a transparent colour', png(header(), chunk('tRNS', new Uint8Array(6)), data(rows), END)],
    ['no header', png(data(rows), END)],
    ['two headers', png(header(), header(), data(rows), END)],
  ])('leaves %s to another decoder', (_, bytes) => {
    expect(decodePlainPng(bytes, SIDE)).toBeUndefined();
  });

  it('would have read the file that those differ from', () => {
    expect(decodePlainPng(whole, SIDE)).toEqual(PIXELS);
  });
});
