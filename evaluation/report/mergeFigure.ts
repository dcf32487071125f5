import { wrapText } from '#src/cli';
import { html, imageDataUri, type SafeHtml } from '#src/tracking';
import type { MergePlanPicture } from './mergePlanPicture.js';
import { mergePlanSvg, placeMergePlan } from './mergePlanSvg.js';

/** An image, as a PNG or JPEG, and what the model says of it. */
export interface CaptionedThumbnail {
  readonly image: Uint8Array;
  readonly caption: string;
}

const MARGIN = 20;
const IMAGE = 92;
const CAPTION = 190;
const GAP = 16;
const PLAN = 620;
const LINE = 19;
/** Characters of a caption's line, at about 7 pixels each. */
const CHARACTERS = 26;

/**
 * Images with their captions at the left, the merged model that wrote them at the right: standalone SVG, white also where
 * the page is dark.
 */
export function mergeFigure(plan: MergePlanPicture, captioned: readonly CaptionedThumbnail[]): SafeHtml {
  const planHeight = Math.ceil(placeMergePlan(plan, PLAN).height);
  const height = 2 * MARGIN + Math.max(planHeight, captioned.length * (IMAGE + GAP) - GAP);
  const planX = MARGIN + IMAGE + GAP + CAPTION + GAP;
  const width = planX + PLAN + MARGIN;
  const rowHeight = (height - 2 * MARGIN - IMAGE) / Math.max(1, captioned.length - 1);
  const row = ({ image, caption }: CaptionedThumbnail, i: number): SafeHtml => {
    const y = MARGIN + i * rowHeight;
    const lines = wrapText(caption, CHARACTERS);
    const textY = y + IMAGE / 2 - ((lines.length - 1) * LINE) / 2 + 5;
    return html`<image x="${MARGIN}" y="${y}" width="${IMAGE}" height="${IMAGE}" preserveAspectRatio="xMidYMid slice" href="${imageDataUri(image).uri}"/><rect x="${MARGIN}" y="${y}" width="${IMAGE}" height="${IMAGE}" fill="none" stroke="#c9ced6"/>
${lines.map((line, n) => html`<text x="${MARGIN + IMAGE + GAP}" y="${textY + n * LINE}">${line}</text>`)}`;
  };
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="14">
<title>Test images with generated captions, and the merged model: which parameter tokens the layers of a block hold</title>
<rect width="100%" height="100%" rx="8" fill="#ffffff"/>
<g fill="#1c2330">${captioned.map(row)}</g>
<svg x="${planX}" y="${MARGIN}" width="${PLAN}" height="${planHeight}">${mergePlanSvg(plan, PLAN)}</svg>
</svg>
`;
}
