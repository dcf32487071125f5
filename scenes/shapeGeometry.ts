/** @file The outline of each shape, once as SVG and once as a test of points: pictures and labels share it. */
import type { Shape } from './attributes.js';
import type { SceneObject } from './scene.js';

type Point = readonly [x: number, y: number];

/** Corners in a box from -1/2 to 1/2, y downwards. */
const POLYGONS: Readonly<Partial<Record<Shape, readonly Point[]>>> = {
  square: box(0.44, 0.44),
  triangle: [
    [0, -0.48],
    [0.5, 0.44],
    [-0.5, 0.44],
  ],
  diamond: [
    [0, -0.5],
    [0.5, 0],
    [0, 0.5],
    [-0.5, 0],
  ],
};
const CIRCLE_RADIUS = 0.48;
const RING_RADII = { outer: 0.5, inner: 0.27 };
const CROSS = { length: 0.5, halfWidth: 0.17 };

function box(halfWidth: number, halfHeight: number): Point[] {
  return [
    [-halfWidth, -halfHeight],
    [halfWidth, -halfHeight],
    [halfWidth, halfHeight],
    [-halfWidth, halfHeight],
  ];
}

/** The object as one SVG element. */
export function shapeSvg(object: SceneObject): string {
  const { shape, x, y, extent, fill } = object;
  const circle = (radius: number, paint: string) =>
    `<circle cx="${x}" cy="${y}" r="${length(radius * extent)}" ${paint}/>`;
  if (shape === 'circle') return circle(CIRCLE_RADIUS, `fill="${fill}"`);
  if (shape === 'ring') {
    const { outer, inner } = RING_RADII;
    const width = length((outer - inner) * extent);
    return circle((outer + inner) / 2, `fill="none" stroke="${fill}" stroke-width="${width}"`);
  }
  const corners = (points: readonly Point[]) =>
    `M${points.map(([dx, dy]) => `${length(x + dx * extent)} ${length(y + dy * extent)}`).join('L')}Z`;
  const polygon = POLYGONS[shape];
  const path = polygon
    ? corners(polygon)
    : corners(box(CROSS.length, CROSS.halfWidth)) + corners(box(CROSS.halfWidth, CROSS.length));
  return `<path d="${path}" fill="${fill}"/>`;
}

/** True when the point (x, y), in pixels, is inside the object; the hole of a ring is outside. */
export function shapeContains(object: SceneObject, x: number, y: number): boolean {
  const dx = (x - object.x) / object.extent;
  const dy = (y - object.y) / object.extent;
  switch (object.shape) {
    case 'circle':
      return dx * dx + dy * dy <= CIRCLE_RADIUS ** 2;
    case 'ring':
      return dx * dx + dy * dy <= RING_RADII.outer ** 2 && dx * dx + dy * dy >= RING_RADII.inner ** 2;
    case 'cross':
      return (
        Math.max(Math.abs(dx), Math.abs(dy)) <= CROSS.length && Math.min(Math.abs(dx), Math.abs(dy)) <= CROSS.halfWidth
      );
    default:
      return insideConvex(POLYGONS[object.shape] as readonly Point[], dx, dy);
  }
}

/** Corners clockwise on the screen: inside is on the same side of every edge. */
function insideConvex(corners: readonly Point[], x: number, y: number): boolean {
  return corners.every(([ax, ay], i) => {
    const [bx, by] = corners[(i + 1) % corners.length];
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0;
  });
}

function length(pixels: number): string {
  return pixels.toFixed(2);
}
