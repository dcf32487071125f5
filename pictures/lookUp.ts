import { startWork } from '#src/tracking';
import type { DrawnPicture } from './picture.js';
import { nearestLook } from './pictureLook.js';

/**
 * Share of the pictures that have a caption in common with the training picture that looks most alike: what can be had by
 * looking up, without a model.
 *
 * @param set its name, for progress
 */
export function lookUpShare(set: string, pictures: readonly DrawnPicture[], training: readonly DrawnPicture[]): number {
  const looks = training.map(({ look }) => look);
  const report = startWork(`looking up ${set}`, pictures.length, 'pictures');
  let found = 0;
  for (const [i, { look, captions }] of pictures.entries()) {
    const known = training[nearestLook(look, looks)].captions;
    if (captions.some((caption) => known.includes(caption))) found++;
    report(i + 1);
  }
  return pictures.length === 0 ? 0 : found / pictures.length;
}
