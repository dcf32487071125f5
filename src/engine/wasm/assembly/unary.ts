/** @file Elementary functions over whole tensors. */
import { erf4, exp4, loadEnd, storeEnd, tanh4 } from './vectorMath';

export function exp(x: usize, output: usize, count: i32): void {
  const end = x + (count & ~3) * sizeof<f32>();
  for (; x < end; x += 16) {
    v128.store(output, exp4(v128.load(x)));
    output += 16;
  }
  const left = count & 3;
  if (left > 0) storeEnd(output, exp4(loadEnd(x, left, 0)), left);
}

export function erf(x: usize, output: usize, count: i32): void {
  const end = x + (count & ~3) * sizeof<f32>();
  for (; x < end; x += 16) {
    v128.store(output, erf4(v128.load(x)));
    output += 16;
  }
  const left = count & 3;
  if (left > 0) storeEnd(output, erf4(loadEnd(x, left, 0)), left);
}

export function tanh(x: usize, output: usize, count: i32): void {
  const end = x + (count & ~3) * sizeof<f32>();
  for (; x < end; x += 16) {
    v128.store(output, tanh4(v128.load(x)));
    output += 16;
  }
  const left = count & 3;
  if (left > 0) storeEnd(output, tanh4(loadEnd(x, left, 0)), left);
}
