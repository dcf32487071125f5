/**
 * Numbers rounded to bf16, to nearest with ties to even: the upper half of a float32. NaN stays NaN.
 */
export function roundedToBf16(numbers: Float32Array): Float32Array {
  const rounded = numbers.slice();
  const bits = new Uint32Array(rounded.buffer);
  for (let i = 0; i < bits.length; i++) {
    if (Number.isNaN(numbers[i])) continue;
    bits[i] = (bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) & 0xffff0000;
  }
  return rounded;
}
