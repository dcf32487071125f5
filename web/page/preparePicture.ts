import type { SiteModel } from '../manifest.js';
import { type Picture, resample, shrink } from './resample.js';

type VisionConfig = Extract<SiteModel, { kind: 'fusion' }>['config']['vision'];

/** Larger pictures take too much memory; phones take up to 50 million pixels. */
const MOST_PIXELS = 64_000_000;

/**
 * The pixels that the model reads of a picture, as `decodeImage` gives them in Node: turned as its file says, laid on the background,
 * made square. A picture of the model's size keeps its pixels.
 *
 * @returns RGB, [imageSize, imageSize, 3]
 * @throws Error for what is not a picture, or too large a one
 */
export async function preparePicture(
  source: Blob | HTMLVideoElement,
  { backbone: { imageSize }, preprocessing: { resize, background } }: VisionConfig,
): Promise<Uint8Array> {
  const bitmap = await createImageBitmap(source, { imageOrientation: 'from-image' }).catch(() => {
    throw new Error('this browser cannot read that file as a picture; try a PNG or a JPEG');
  });
  try {
    const { width, height } = bitmap;
    if (width * height > MOST_PIXELS) {
      throw new Error(`the picture has ${width} × ${height} pixels; expected at most ${MOST_PIXELS}`);
    }
    const picture = pixelsOf(bitmap, background);
    const isJpeg = source instanceof Blob && (await beginsAsJpeg(source));
    return new Uint8Array(square(picture, imageSize, { resize, background, isJpeg }).buffer);
  } finally {
    bitmap.close();
  }
}

function pixelsOf(bitmap: ImageBitmap, background: readonly number[]): Picture {
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('this browser has no canvas to draw pictures on');
  context.fillStyle = `rgb(${background.join(' ')})`;
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  const data = new Uint8ClampedArray(width * height * 3);
  for (let i = 0, j = 0; i < rgba.length; i += 4) {
    data[j++] = rgba[i];
    data[j++] = rgba[i + 1];
    data[j++] = rgba[i + 2];
  }
  return { width, height, data };
}

async function beginsAsJpeg(file: Blob): Promise<boolean> {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  return first === 0xff && second === 0xd8;
}

export interface SquareOptions extends Pick<VisionConfig['preprocessing'], 'resize' | 'background'> {
  /** sharp has JPEGs decoded at a half, a quarter or an eighth of their size where that is large enough. */
  readonly isJpeg: boolean;
}

/** Stretched; or with its proportions, the middle of it cut out (cover) or on background (contain). */
export function square(whole: Picture, size: number, options: SquareOptions): Uint8ClampedArray<ArrayBuffer> {
  const { resize, background, isJpeg } = options;
  const onLoad = isJpeg ? [8, 4, 2].find((count) => Math.min(...factorsOf(whole, size, resize)) >= count) : undefined;
  const picture = onLoad === undefined ? whole : shrink(whole, onLoad);
  const factors = factorsOf(picture, size, resize);
  const width = Math.max(1, Math.round(picture.width / factors[0]));
  const height = Math.max(1, Math.round(picture.height / factors[1]));
  const sized = resample(picture, [width, height], factors);
  const result = new Uint8ClampedArray(size * size * 3);
  const left = Math.floor((width - size + 1) / 2);
  const top = Math.floor((height - size + 1) / 2);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [fromX, fromY] = [x + left, y + top];
      const inside = fromX >= 0 && fromX < width && fromY >= 0 && fromY < height;
      for (let channel = 0; channel < 3; channel++) {
        result[(y * size + x) * 3 + channel] = inside
          ? sized.data[(fromY * width + fromX) * 3 + channel]
          : background[channel];
      }
    }
  }
  return result;
}

/** Pixels of a picture to a pixel of the square, across and down. */
function factorsOf({ width, height }: Picture, size: number, resize: SquareOptions['resize']): [number, number] {
  const [across, down] = [width / size, height / size];
  if (resize === 'stretch') return [across, down];
  const shared = resize === 'cover' ? Math.min(across, down) : Math.max(across, down);
  return [shared, shared];
}
