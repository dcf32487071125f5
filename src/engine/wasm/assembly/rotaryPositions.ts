/** @file Rotation of pairs (a, b) in the first `2 · half` numbers of every head, the rest copied. */

/**
 * @param x and output [batch, seqLen, numHeads · headDim]
 * @param cosines [seqLen, half], and `sines`, whose sign is the direction
 */
export function rotaryPositions(
  x: usize,
  output: usize,
  cosines: usize,
  sines: usize,
  batch: i32,
  seqLen: i32,
  numHeads: i32,
  headDim: i32,
  half: i32,
): void {
  const headBytes = <usize>headDim * sizeof<f32>();
  const halfBytes = <usize>half * sizeof<f32>();
  const whole = <usize>(half & ~3) * sizeof<f32>();
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < seqLen; t++) {
      const cos = cosines + t * halfBytes;
      const sin = sines + t * halfBytes;
      for (let h = 0; h < numHeads; h++) {
        let j: usize = 0;
        for (; j < whole; j += 16) {
          const a = v128.load(x + j);
          const second = v128.load(x + halfBytes + j);
          const c = v128.load(cos + j);
          const s = v128.load(sin + j);
          v128.store(output + j, f32x4.sub(f32x4.mul(a, c), f32x4.mul(second, s)));
          v128.store(output + halfBytes + j, f32x4.add(f32x4.mul(second, c), f32x4.mul(a, s)));
        }
        for (; j < halfBytes; j += 4) {
          const a = load<f32>(x + j);
          const second = load<f32>(x + halfBytes + j);
          const c = load<f32>(cos + j);
          const s = load<f32>(sin + j);
          store<f32>(output + j, a * c - second * s);
          store<f32>(output + halfBytes + j, second * c + a * s);
        }
        memory.copy(output + 2 * halfBytes, x + 2 * halfBytes, headBytes - 2 * halfBytes);
        x += headBytes;
        output += headBytes;
      }
    }
  }
}
