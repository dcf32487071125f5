import { extname } from 'node:path';

/** Extensions of the image files that are decoded here, in lower case, without the dot. */
export const IMAGE_EXTENSIONS: readonly string[] = [
  ...['jpg', 'jpeg', 'jfif', 'jpe', 'png', 'webp', 'gif', 'avif', 'tif', 'tiff'],
];

/** Extensions of images in formats that are not decoded here, in the same form. */
export const OTHER_IMAGE_EXTENSIONS: readonly string[] = [
  ...[
    'heic',
    'heif',
    'hif',
    'bmp',
    'dib',
    'svg',
    'svgz',
    'ico',
    'psd',
    'jxl',
    'jp2',
    'pdf',
    'eps',
    'tga',
    'exr',
    'hdr',
  ],
  ...['raw', 'dng', 'cr2', 'cr3', 'nef', 'arw', 'orf', 'rw2', 'raf', 'ppm', 'pgm', 'pbm', 'pnm'],
];

/** What to do about an image in a format that is not decoded here. */
export const CANNOT_DECODE = 'cannot be decoded here; convert to JPEG or PNG';

/** Whether a file is an image that is decoded here, by its name. */
export function isImageName(name: string): boolean {
  return IMAGE_EXTENSIONS.includes(extensionOf(name));
}

/** Whether a file is an image, by its name, in a format that is not decoded here. */
export function isOtherImageName(name: string): boolean {
  return OTHER_IMAGE_EXTENSIONS.includes(extensionOf(name));
}

/** The extensions of image files for a message: `.jpg, .jpeg, …`. */
export function listImageExtensions(): string {
  return IMAGE_EXTENSIONS.map((extension) => `.${extension}`).join(', ');
}

function extensionOf(name: string): string {
  return extname(name).slice(1).toLowerCase();
}
