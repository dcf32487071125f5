import { listShards } from '#src/data';
import { UserError } from '#src/errors';
import { fileStatus } from '#src/storage';
import type { CaptionImage } from './captionedImage.js';
import { captionSourceArgument } from './captionSource.js';
import { isImageName, readImageFile, readImageFolder } from './imageFolder.js';
import { loadCaptions } from './loadCaptions.js';

/**
 * The images that a command-line argument names: an image file, a folder of images, or captions of any format, of which
 * only the images are used.
 *
 * @param argument a path, or a source as a YAML mapping
 * @throws UserError when there is no image, or an image file is missing
 */
export function listImages(argument: string): readonly CaptionImage[] {
  const source = captionSourceArgument(argument);
  if (typeof source === 'string') {
    const status = fileStatus(source, 'images');
    if (status === undefined) throw new UserError(`cannot read images ${source}: no such file or folder`);
    if (status.isDirectory() && listShards(source).length === 0) return readImageFolder(source);
    if (isImageName(source)) return [readImageFile(source)];
  }
  return loadCaptions(source, { requireImageFiles: true, needsCaptions: false });
}
