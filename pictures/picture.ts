import type { PictureLook } from './pictureLook.js';

/** A captioned picture of a source, before it is drawn. */
export interface Picture {
  /** Its path inside `images`, without an extension; unique in its source. */
  readonly name: string;
  /** At least one; the source's own comes first. */
  readonly captions: readonly string[];
  /** What vision can learn of it without captions, such as `style: noto`. */
  readonly labels: readonly string[];
  /** An SVG document or an image file. */
  bytes(): Buffer;
}

/** A picture after it is drawn. */
export interface DrawnPicture extends Picture {
  readonly look: PictureLook;
  /** Colours in it, of 15 bits, over the square root of its pixels that are not white: much higher in photographs. */
  readonly variety: number;
}

/** Where pictures come from, as people who use them must know it. */
export interface PictureOrigin {
  readonly title: string;
  readonly package: string;
  readonly version: string;
  readonly authors: string;
  readonly licence: string;
  readonly url: string;
  /** The licence in full, where the package has it. */
  readonly licenceText?: Buffer;
}

/** Numbers of pictures by the reason why they are left out. */
export type LeftOut = Readonly<Record<string, number>>;

/** Pictures by set; `train` is one of them. */
export interface PictureSets {
  readonly sets: ReadonlyMap<string, readonly DrawnPicture[]>;
  readonly leftOut: LeftOut;
}

/** Captioned pictures that packages hold. */
export interface PictureSource {
  readonly title: string;
  readonly origins: readonly PictureOrigin[];
  /** In an order that depends on the packages alone. */
  readonly pictures: readonly Picture[];
  /** Of what the packages hold. */
  readonly leftOut: LeftOut;
  /** What determines pictures and sets besides how they are drawn: settings, and digests of what was read. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Whether empty margins are cut off; not where they belong to the drawing. */
  readonly trim: boolean;
  split(drawn: readonly DrawnPicture[]): PictureSets;
}
