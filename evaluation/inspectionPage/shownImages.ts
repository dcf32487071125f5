import sharp from 'sharp';
import { html, imageDataUri, type SafeHtml } from '#src/tracking';
import type { ImageViews } from '../inspection/index.js';

/** Bytes of all images on a page; later ones are not drawn. */
const MOST_BYTES = 4_000_000;

/** Larger images are embedded as JPEG. */
const LARGEST_PNG = 96;

/** Images on a page: each embedded once, as a class that crops refer to. */
export interface ShownImages {
  has(index: number): boolean;
  readonly styles: SafeHtml;
  /** Images left out for their bytes. */
  readonly numLeftOut: number;
}

/** @param indices each once, in the order of their importance */
export async function shownImages(indices: readonly number[], views: ImageViews | undefined): Promise<ShownImages> {
  const rules = new Map<number, SafeHtml>();
  let bytes = 0;
  for (const index of indices) {
    if (views === undefined) break;
    const encoded = await encodedView(index, views);
    bytes += encoded.length;
    if (bytes > MOST_BYTES) break;
    rules.set(index, html`.im${index}{background-image:url(${imageDataUri(encoded).uri})}\n`);
  }
  return {
    has: (index) => rules.has(index),
    styles: html`${[...rules.values()]}`,
    numLeftOut: views === undefined ? 0 : indices.length - rules.size,
  };
}

async function encodedView(index: number, { imageSize, pixelsOf }: ImageViews): Promise<Buffer> {
  const image = sharp(pixelsOf(index), { raw: { width: imageSize, height: imageSize, channels: 3 } });
  return await (imageSize <= LARGEST_PNG ? image.png() : image.jpeg({ quality: 80 })).toBuffer();
}
