/** An image format as the first bytes of a file tell it. */
export interface ImageFormat {
  /** Such as `JPEG`. */
  readonly name: string;
  /** Whether it is decoded here. */
  readonly decoded: boolean;
}

/** Bytes from the start of a file that tell its format. */
export const IMAGE_HEAD_BYTES = 1024;

/** Major brands of the ISO container that HEIF and AVIF share; `mif1` and `msf1` may hold either. */
const AVIF_BRANDS: readonly string[] = ['avif', 'avis', 'mif1', 'msf1'];
const HEIC_BRANDS: readonly string[] = ['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis', 'hevm', 'hevs'];

/** The image format of a file that starts with `head`; undefined when it is unknown. */
export function imageFormatOf(head: Uint8Array): ImageFormat | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, IMAGE_HEAD_BYTES)).toString('latin1');
  const at = (offset: number, ...signatures: readonly string[]): boolean =>
    signatures.some((signature) => text.startsWith(signature, offset));
  const brand = at(4, 'ftyp') ? text.slice(8, 12) : '';
  const decoded =
    (at(0, '\xff\xd8\xff') && 'JPEG') ||
    (at(0, '\x89PNG\r\n\x1a\n') && 'PNG') ||
    (at(0, 'GIF87a', 'GIF89a') && 'GIF') ||
    (at(0, 'RIFF') && at(8, 'WEBP') && 'WebP') ||
    (at(0, 'II*\0', 'MM\0*', 'II+\0', 'MM\0+') && !at(8, 'CR\x02') && 'TIFF') ||
    (AVIF_BRANDS.includes(brand) && 'AVIF');
  if (decoded) return { name: decoded, decoded: true };
  const other =
    (HEIC_BRANDS.includes(brand) && 'HEIC') ||
    (brand === 'crx ' && 'CR3') ||
    (at(0, 'II*\0') && 'CR2') ||
    (at(0, 'BM') && at(6, '\0\0\0\0') && 'BMP') ||
    (at(0, '\0\0\x01\0') && 'ICO') ||
    (at(0, '8BPS') && 'PSD') ||
    (at(0, '%PDF-') && 'PDF') ||
    (at(0, '\xff\x0a', '\0\0\0\x0cJXL ') && 'JPEG XL') ||
    (at(0, '\0\0\0\x0cjP  ') && 'JPEG 2000') ||
    (/^(\xef\xbb\xbf)?\s*<(\?xml|!--|!DOCTYPE svg|svg)/.test(text) && text.includes('<svg') && 'SVG');
  return other ? { name: other, decoded: false } : undefined;
}
