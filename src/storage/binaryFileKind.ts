/** Files that are not text, by the bytes they begin with. */
const SIGNATURES: readonly (readonly [kind: string, signature: string, offset?: number])[] = [
  ['a PNG image', '\x89PNG'],
  ['a JPEG image', '\xff\xd8\xff'],
  ['a GIF image', 'GIF87a'],
  ['a GIF image', 'GIF89a'],
  ['a WebP image', 'WEBP', 8],
  ['a TIFF image', 'II*\0'],
  ['a TIFF image', 'MM\0*'],
  ['a HEIC or AVIF image, or a video', 'ftyp', 4],
  ['a gzip archive; unpack it first', '\x1f\x8b'],
  ['a zip archive; unpack it first', 'PK\x03\x04'],
  ['a zstd archive; unpack it first', '\x28\xb5\x2f\xfd'],
  ['a bzip2 archive; unpack it first', 'BZh'],
  ['an xz archive; unpack it first', '\xfd7zXZ\0'],
  ['a tar archive; unpack it first, or name its format: { format: webdataset }', 'ustar', 257],
  ['a PDF document; convert it to text first', '%PDF-'],
  ['a Parquet table; convert it to JSONL first', 'PAR1'],
  ['an SQLite database', 'SQLite format 3\0'],
  ['a program', '\x7fELF'],
  ['NumPy data', '\x93NUMPY'],
];

/** What kind of file other than text this is, in words; undefined where its beginning could be text. */
export function binaryFileKind(head: Uint8Array): string | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  for (const [kind, signature, offset = 0] of SIGNATURES) {
    if (bytes.toString('latin1', offset, offset + signature.length) === signature) return kind;
  }
  // The length of a JSON header in eight bytes, then the header.
  if (bytes.length > 9 && bytes[8] === 0x7b && bytes.readUInt32LE(4) === 0) return 'a safetensors file';
  return undefined;
}
