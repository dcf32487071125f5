import sharp from 'sharp';

/** A PNG of RGB bytes [imageSize, imageSize, 3], which `decodeImage` gives back to the bit. */
export async function encodePng(pixels: Uint8Array, imageSize: number): Promise<Uint8Array> {
  return await sharp(pixels, { raw: { width: imageSize, height: imageSize, channels: 3 } })
    .png()
    .toBuffer();
}
