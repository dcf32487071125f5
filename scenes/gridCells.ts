import { COLOURS, SHAPES, SIZES } from './attributes.js';
import type { Scene } from './scene.js';
import { shapeContains } from './shapeGeometry.js';

/** What the three numbers of a cell mean, in order; value 0 is 'none'. */
export const GRID_ATTRIBUTES = [
  { name: 'colour', values: ['none', ...COLOURS] },
  { name: 'shape', values: ['none', ...SHAPES] },
  { name: 'size', values: ['none', ...SIZES] },
] as const;

/** An object that covers less than this share of a cell leaves it 'none'. */
export const LEAST_COVER = 0.1;

/**
 * Labels of a grid over the image: for each cell the colour, shape and size of the object that covers most of it.
 *
 * @param gridSide cells per row and per column
 * @returns rows x columns x 3 indices into GRID_ATTRIBUTES values, row by row
 */
export function gridCells(scene: Scene, gridSide: number): number[] {
  const patch = scene.imageSize / gridSide;
  const cells = new Array<number>(gridSide * gridSide * 3).fill(0);
  const mostPixels = new Array<number>(gridSide * gridSide).fill(LEAST_COVER * patch * patch);
  for (const object of scene.objects) {
    const covered = new Array<number>(gridSide * gridSide).fill(0); // pixels of the object in each cell
    const first = (centre: number) => Math.floor(centre - object.extent / 2);
    const last = (centre: number) => Math.ceil(centre + object.extent / 2);
    for (let y = first(object.y); y < last(object.y); y++) {
      for (let x = first(object.x); x < last(object.x); x++) {
        if (!shapeContains(object, x + 0.5, y + 0.5)) continue;
        covered[Math.floor(y / patch) * gridSide + Math.floor(x / patch)]++;
      }
    }
    covered.forEach((pixels, cell) => {
      if (pixels < mostPixels[cell]) return;
      mostPixels[cell] = pixels;
      cells[cell * 3] = 1 + COLOURS.indexOf(object.colour);
      cells[cell * 3 + 1] = 1 + SHAPES.indexOf(object.shape);
      cells[cell * 3 + 2] = 1 + SIZES.indexOf(object.size);
    });
  }
  return cells;
}
