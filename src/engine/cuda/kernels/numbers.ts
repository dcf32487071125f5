/** The dtypes whose numbers can be in device memory. */
export type NumberType = 'float32' | 'int32' | 'bool';

/** Bytes of a number, on the host and on the device. */
export const NUMBER_BYTES: Readonly<Record<NumberType, number>> = { float32: 4, int32: 4, bool: 1 };

export function isNumbers(dtype: string): dtype is NumberType {
  return dtype in NUMBER_BYTES;
}

const floats = new Float32Array(1);
const ints = new Int32Array(floats.buffer);

/** A float32 as the int32 of the same bits: kernels take structs of whole numbers by value. */
export function floatBits(x: number): number {
  floats[0] = x;
  return ints[0];
}
