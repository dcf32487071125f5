import type { Metadata } from 'sharp';

/** Bytes per sample of the number formats that images have. */
const SAMPLE_BYTES: Readonly<Record<string, number>> = {
  uchar: 1,
  char: 1,
  ushort: 2,
  short: 2,
  double: 8,
  dpcomplex: 16,
  complex: 8,
};

/** Most rows of a file that are held at once while it is read from top to bottom, and rows of intermediate results. */
const ROWS_READ = 1600;
const ROWS_BETWEEN = 128;

/**
 * An upper estimate of the memory in bytes that decoding takes besides the file. JPEG and PNG are read row by row; what cannot be
 * (interlaced, progressive, WebP, GIF, TIFF, AVIF) is held whole, in factors measured with libvips 8.18.
 */
export function decodeMemory(metadata: Metadata): number {
  const { width, height, channels, depth, format, isProgressive = false, chromaSubsampling } = metadata;
  const pixels = width * height;
  const sample = SAMPLE_BYTES[depth] ?? 4;
  const rows = (Math.min(height, ROWS_READ) + ROWS_BETWEEN) * width * channels * sample;
  switch (format) {
    case 'jpeg':
      // Coefficients of 16 bits; colour in 4:2:0 has a quarter of the samples.
      return rows + (isProgressive ? pixels * (chromaSubsampling === '4:2:0' ? 3 : 2 * channels) : 0);
    case 'png':
      return rows + (isProgressive ? pixels * channels * sample : 0);
    case 'heif':
      return pixels * 18.5;
    case 'tiff':
      return rows + pixels * channels * sample;
    default:
      return rows + pixels * 4;
  }
}
