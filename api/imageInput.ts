/**
 * An image: the path of a file, or the bytes of one. Formats: whatever sharp reads (JPEG, PNG, WebP, GIF, AVIF, TIFF). Size and
 * shape are free; a model resizes as its training did.
 *
 * @example
 * ```ts
 * const images: ImageInput[] = ['photo.jpg', readFileSync('other.png')];
 * ```
 */
export type ImageInput = string | Uint8Array;
