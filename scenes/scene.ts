/** @file The ground truth of one image. */
import type { Colour, Shape, Size } from './attributes.js';

export interface SceneObject {
  readonly shape: Shape;
  readonly colour: Colour;
  readonly size: Size;
  /** Centre in pixels, from the left and top edge. */
  readonly x: number;
  readonly y: number;
  /** Side of the square that the object fills, in pixels. */
  readonly extent: number;
  /** The painted colour, '#rrggbb': `colour` with a small random deviation. */
  readonly fill: string;
}

export interface Ground {
  readonly kind: 'plain' | 'noisy';
  readonly fill: string;
  /** Of the texture of a noisy ground. */
  readonly noiseSeed: number;
}

export interface Scene {
  /** Side of the square image in pixels. */
  readonly imageSize: number;
  readonly ground: Ground;
  readonly objects: readonly SceneObject[];
}

export type Axis = 'x' | 'y';

/** The pair and axis for which the first object's own side of the image does not tell the relation. */
export interface Disagreement {
  /** Indices into `objects`. */
  readonly first: number;
  readonly second: number;
  readonly axis: Axis;
}

/** A scene as `scenes.json` lists it; `id` and `fileName` are those of the image in `captions.json`. */
export interface SceneRecord extends Scene {
  readonly id: number;
  readonly fileName: string;
  /** Only in the disagree sets. */
  readonly disagreement?: Disagreement;
}
