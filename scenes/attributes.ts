/** @file What an object of a scene can be, and the (colour, shape) combinations that alignment never sees. */

export const SHAPES = ['circle', 'square', 'triangle', 'cross', 'ring', 'diamond'] as const;
export const COLOURS = ['red', 'green', 'blue', 'yellow', 'purple', 'orange', 'cyan', 'white'] as const;
export const SIZES = ['small', 'large'] as const;

export type Shape = (typeof SHAPES)[number];
export type Colour = (typeof COLOURS)[number];
export type Size = (typeof SIZES)[number];

/** A colour with a shape; its name is 'colour shape', such as 'purple circle'. */
export interface Combination {
  readonly name: string;
  readonly colour: Colour;
  readonly shape: Shape;
}

/** All 48 combinations, colour by colour. */
export const COMBINATIONS: readonly Combination[] = COLOURS.flatMap((colour) =>
  SHAPES.map((shape) => ({ name: `${colour} ${shape}`, colour, shape })),
);

/** Held out of every caption pair unless the configuration says otherwise: one per colour, each shape at least once. */
export const DEFAULT_HELD_OUT: readonly string[] = [
  'purple circle',
  'red square',
  'cyan triangle',
  'yellow cross',
  'green ring',
  'orange diamond',
  'white circle',
  'blue triangle',
];
