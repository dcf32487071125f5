/** @file IEEE 754 binary16, which JavaScript has no arrays of yet: 1 sign, 5 exponent and 10 fraction bits. */

/** The largest finite value. */
export const FLOAT16_MAX = 65504;

const value = new Float32Array(1);
const bits = new Uint32Array(value.buffer);

/** The nearest float16, ties to even, as its 16 bits; beyond the largest: infinity. */
export function float16Bits(number: number): number {
  value[0] = number;
  const sign = (bits[0] >>> 16) & 0x8000;
  const magnitude = bits[0] & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65520, half a step above the largest.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14 steps are of 2^-24: adding 0.5 leaves exactly those bits, rounded, at the end of a float32.
  if (magnitude < 0x38800000) {
    value[0] = Math.abs(number) + 0.5;
    return sign | (bits[0] - 0x3f000000);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** The values of all 65,536 float16 numbers, by their bits. */
export function float16Table(): Float32Array {
  return Float32Array.from({ length: 65536 }, (_, half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >>> 10) & 31;
    const fraction = half & 0x3ff;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
}
