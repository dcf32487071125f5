import { z } from 'zod';

/** How an icon is shown. */
export const Transform = z.object({
  hFlip: z.boolean().optional(),
  vFlip: z.boolean().optional(),
  /** Quarter turns. */
  rotate: z.int().optional(),
});
export type Transform = z.output<typeof Transform>;

/** The content of an SVG document and its view box. */
export interface IconBody {
  readonly body: string;
  readonly left?: number | undefined;
  readonly top?: number | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** Iconify's default. */
const SIDE = 16;

/** An icon as a document of its own. */
export function iconSvg(icon: IconBody, { hFlip = false, vFlip = false, rotate = 0 }: Transform): Buffer {
  const { body, left = 0, top = 0, width = SIDE, height = SIDE } = icon;
  const [x, y] = [left + width / 2, top + height / 2];
  const moved =
    `<g transform="translate(${x} ${y}) rotate(${90 * rotate}) scale(${hFlip ? -1 : 1} ${vFlip ? -1 : 1}) ` +
    `translate(${-x} ${-y})">${body}</g>`;
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}" ` +
      `viewBox="${left} ${top} ${width} ${height}">${hFlip || vFlip || rotate !== 0 ? moved : body}</svg>`,
  );
}
