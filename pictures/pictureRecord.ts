import type { BrokenPicture } from './drawPictures.js';
import type { LeftOut, PictureOrigin } from './picture.js';

/** One set as the record has it. */
export interface PictureSetRecord {
  readonly name: string;
  /** Its captions, from the folder. */
  readonly path: string;
  readonly pictures: number;
  readonly captions: number;
  /** Of its captions. */
  readonly sha256: string;
  /** Share that has a caption in common with the training picture that looks most alike; not of the training set. */
  readonly lookUp?: number;
}

export interface PictureRecord {
  readonly settings: unknown;
  readonly title: string;
  readonly origins: readonly Omit<PictureOrigin, 'licenceText'>[];
  readonly sets: readonly PictureSetRecord[];
  readonly leftOut: LeftOut;
  readonly broken: readonly BrokenPicture[];
}
