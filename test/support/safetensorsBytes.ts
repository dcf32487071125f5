/** @file Safetensors files put together by hand: right ones, and ones that lie. */

export interface RawTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A file of any header text and any data; `headerLength` is what its first eight bytes claim. */
export function fileOf(header: string | Uint8Array, data: Uint8Array, headerLength?: bigint): Buffer {
  const text = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(headerLength ?? BigInt(text.length));
  return Buffer.concat([prefix, text, data]);
}

/** An honest file, its tensors one after the other in the order given. */
export function safetensorsBytes(
  tensors: Readonly<Record<string, RawTensor>>,
  metadata?: Readonly<Record<string, string>>,
): Buffer {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const data = Buffer.concat(Object.values(tensors).map(({ bytes }) => bytes));
  const text = JSON.stringify(header);
  // The data starts at a multiple of eight, as the format's own writer aligns it.
  return fileOf(text.padEnd(Math.ceil(text.length / 8) * 8), data);
}

export function float32Tensor(shape: readonly number[], values: ArrayLike<number>): RawTensor {
  return { dtype: 'F32', shape, bytes: bytesOf(Float32Array.from(values)) };
}

export function int64Tensor(shape: readonly number[], values: readonly number[]): RawTensor {
  return { dtype: 'I64', shape, bytes: bytesOf(BigInt64Array.from(values, BigInt)) };
}

function bytesOf(values: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
