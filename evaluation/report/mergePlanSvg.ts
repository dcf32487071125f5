import { formatCount, html, type SafeHtml } from '#src/tracking';
import {
  layoutMergePlan,
  type PlacedBlock,
  type PlacedGroup,
  type PlanColumn,
  type PlanLayout,
} from './mergePlanLayout.js';
import type { MergePlanPicture, PictureGroup } from './mergePlanPicture.js';

const ORIGINS = {
  vision: { ink: 'var(--vision, #0f766e)', tint: 'var(--vision-tint, #d5f0ec)' },
  language: { ink: 'var(--language, #4f46e5)', tint: 'var(--language-tint, #e2e1fc)' },
  bridge: { ink: 'var(--bridge, #c2410c)', tint: 'var(--bridge-tint, #fde3d0)' },
} as const;
const INK = 'var(--ink, #1c2330)';
const MUTED = 'var(--muted, #5b6472)';
const ON_SOLID = 'var(--on-solid, #ffffff)';

/** Below this width there is room for numbers only. */
const NARROW = 600;
/** The least distance of two stripes, in pixels. */
const MIN_STRIPE = 5;

/** Height of the strip that shows which tokens use a group, and its gap to the box. */
const STRIP = 3;
const STRIP_GAP = 1.5;
/** Distance of a frame from its content. */
const FRAME = 3;

function rowHeightOf(width: number): number {
  return width < NARROW ? 21 : 25;
}

/** Parameter tokens that one stripe of the drawing stands for, a power of two. */
export function tokensPerStripe({ scale }: PlanLayout): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(MIN_STRIPE / scale)));
}

/** How the drawing of a given width is measured. */
export function placeMergePlan(plan: MergePlanPicture, width: number): PlanLayout {
  const narrow = width < NARROW;
  return layoutMergePlan(plan.layers, {
    width: width - FRAME,
    gutter: narrow ? 44 : 62,
    head: narrow ? 62 : 68,
    rowHeight: rowHeightOf(width),
    rowGap: narrow ? 4 : 5,
    blockGap: narrow ? 14 : 16,
    titleHeight: narrow ? 19 : 22,
    minWidth: narrow ? 19 : 24,
    columnGap: narrow ? 4 : 8,
  });
}

/**
 * Draws a merge: every Pattention layer a row, every group of parameter tokens a box as wide as it has tokens, the frozen
 * backbones tinted at both sides, the trained bridges solid between them. The strip under a box has the colour of the tokens
 * that use it. Hover titles tell names and sizes.
 *
 * @param width in pixels; below 600 the lettering is set for a phone
 */
export function mergePlanSvg(plan: MergePlanPicture, width = 1100): SafeHtml {
  const layout = placeMergePlan(plan, width);
  const narrow = width < NARROW;
  const font = narrow ? 11 : 13;
  const rowHeight = rowHeightOf(width);
  const stripe = tokensPerStripe(layout) * layout.scale;
  const pattern = (origin: keyof typeof ORIGINS, solid: boolean) => {
    const colour = solid ? ON_SOLID : ORIGINS[origin].ink;
    return html`<pattern id="${patternId(origin, solid, width)}" width="${round(stripe)}" height="8" patternUnits="userSpaceOnUse"><rect width="${round(stripe / 2)}" height="8" style="fill:${colour}" fill-opacity="0.14"/></pattern>`;
  };
  const origins = Object.keys(ORIGINS) as (keyof typeof ORIGINS)[];
  return html`<svg xmlns="http://www.w3.org/2000/svg" class="${narrow ? 'plan narrow' : 'plan wide'}" viewBox="0 0 ${width} ${Math.ceil(layout.height)}" role="img" aria-label="the groups of parameter tokens of every layer of the merged model" font-family="system-ui, sans-serif" font-size="${font}">
<defs>${origins.map((origin) => [pattern(origin, false), pattern(origin, true)])}</defs>
${drawHeads(plan, layout, narrow, font)}
${layout.blocks.map((block) => drawBlock(plan, block, { width, font, rowHeight, narrow }))}
</svg>`;
}

interface Drawing {
  readonly width: number;
  readonly font: number;
  readonly rowHeight: number;
  readonly narrow: boolean;
}

function drawHeads(plan: MergePlanPicture, { columns, height }: PlanLayout, narrow: boolean, font: number): SafeHtml {
  const { vision, imageBridge, textBridge, language } = columns;
  const mixed = plan.layers.some(({ groups }) =>
    groups.some(({ stream, origin }) => stream === 'both' && origin !== 'bridge'),
  );
  const bridges = { x: imageBridge.x, width: textBridge.x + textBridge.width - imageBridge.x };
  const state = (origin: PictureGroup['origin']) => {
    const groups = plan.layers.flatMap(({ groups }) => groups).filter((group) => group.origin === origin);
    const numTrained = groups.filter(({ trained }) => trained).length;
    return numTrained === 0 ? 'frozen' : numTrained === groups.length ? 'trained' : 'partly trained';
  };
  const head = (title: string, origin: PictureGroup['origin'], tokens: string, x: number, anchor: string) =>
    html`<text x="${round(x)}" y="${font + 20}" text-anchor="${anchor}" font-weight="650" style="fill:${ORIGINS[origin].ink}">${title}</text><text x="${round(x)}" y="${2 * font + 24}" text-anchor="${anchor}" style="fill:${MUTED}">${tokens}</text>`;
  const middle = bridges.x + bridges.width / 2;
  const spine =
    bridges.width > 0 &&
    html`<rect x="${round(bridges.x - 3)}" y="${2 * font + 34}" width="${round(bridges.width + 6)}" height="${round(height - 2 * font - 34)}" rx="5" style="fill:${ORIGINS.bridge.tint}" fill-opacity="0.35"/>`;
  const frozen = (origin: PictureGroup['origin']) =>
    narrow ? state(origin) : `parameter tokens${mixed ? ' for image and text tokens' : ''}, ${state(origin)}`;
  return html`${spine}
${vision.width > 0 && [!mixed && imageTokens(vision), head('vision', 'vision', frozen('vision'), vision.x, 'start')]}
${bridges.width > 0 && head('bridges', 'bridge', state('bridge'), middle, 'middle')}
${language.width > 0 && [!mixed && textTokens(language), head('language', 'language', frozen('language'), language.x + language.width, 'end')]}`;
}

/** Patches at the head of the vision column: what goes through it. */
function imageTokens({ x }: PlanColumn): SafeHtml {
  const patches = [0, 1, 2, 3].map((i) => html`<rect x="${round(x + 13 * i)}" y="4" width="10" height="10" rx="1.5"/>`);
  return html`<g style="fill:${ORIGINS.vision.ink}">${patches}<text x="${round(x + 56)}" y="13.5" style="fill:${MUTED}">image tokens</text></g>`;
}

/** Words at the head of the language column. */
function textTokens({ x, width }: PlanColumn): SafeHtml {
  const end = x + width;
  const words = [18, 12, 22].map((length, i, all) => {
    const before = all.slice(0, i).reduce((sum, other) => sum + other + 3, 0);
    return html`<rect x="${round(end - before - length)}" y="4" width="${length}" height="10" rx="5"/>`;
  });
  return html`<g style="fill:${ORIGINS.language.ink}">${words}<text x="${round(end - 62)}" y="13.5" text-anchor="end" style="fill:${MUTED}">text tokens</text></g>`;
}

function drawBlock(plan: MergePlanPicture, block: PlacedBlock, drawing: Drawing): SafeHtml {
  const { first, last, layers, rows, titleY } = block;
  const { width, font, rowHeight, narrow } = drawing;
  const groups = layers.flatMap(({ groups }) => groups);
  const sum = (trained: boolean) =>
    formatCount(groups.reduce((total, group) => total + (group.trained === trained ? group.parameters : 0), 0));
  const title = first === last ? `block ${first}` : `blocks ${first}–${last}, all alike`;
  const each = first === last ? '' : ' each';
  const figures = narrow
    ? `${sum(true)} trained${each}`
    : `${sum(true)} trained, ${sum(false)} frozen parameters${each}`;
  const textY = titleY + font;
  return html`<g><text x="0" y="${textY}" font-weight="650" style="fill:${INK}">${title}</text><text x="${width}" y="${textY}" text-anchor="end" style="fill:${MUTED}">${figures}</text>
${rows.map(({ layer, y, groups: placed }) => html`<text x="0" y="${round(y + rowHeight / 2 - 2 + font * 0.35)}" style="fill:${MUTED}">${layer.layer}</text>${plan.oneNorm && drawUnion(placed, y, rowHeight)}${placed.map((box) => drawGroup(box, y, drawing))}`)}</g>
`;
}

/** One norm over all groups of a layer: one frame round them. */
function drawUnion(placed: readonly PlacedGroup[], y: number, rowHeight: number): SafeHtml | undefined {
  if (placed.length === 0) return undefined;
  const left = placed[0].x - FRAME;
  const right = Math.max(...placed.map((box) => box.x + box.width)) + FRAME;
  return html`<rect x="${round(left)}" y="${round(y - 1.5)}" width="${round(right - left)}" height="${rowHeight + 2.5}" rx="4" fill="none" style="stroke:${MUTED}" stroke-dasharray="3 3" stroke-opacity="0.7"/>`;
}

function drawGroup({ group, x, width: boxWidth }: PlacedGroup, y: number, drawing: Drawing): SafeHtml {
  const { origin, trained, stream, name, numParamTokens, parameters } = group;
  const { rowHeight, font, width } = drawing;
  const { ink, tint } = ORIGINS[origin];
  const number = formatCount(numParamTokens);
  // About 0.58 of the type size a digit.
  const fits = (text: string) => text.length * font * 0.58 + 4 <= boxWidth;
  const label = [`${name} ${number}`, number].find(fits);
  const usedBy = stream === 'both' ? 'image and text tokens' : `${stream} tokens`;
  const boxHeight = rowHeight - STRIP - STRIP_GAP;
  const size = html`width="${round(boxWidth)}" height="${boxHeight}" rx="2.5"`;
  const stripColour = { image: ORIGINS.vision.ink, text: ORIGINS.language.ink };
  const strip = (colour: string, from: number, to: number) =>
    html`<rect x="${round(from)}" y="${rowHeight - STRIP}" width="${round(to - from)}" height="${STRIP}" rx="1" style="fill:${colour}"/>`;
  const strips =
    stream === 'both'
      ? [strip(stripColour.image, 0, boxWidth / 2), strip(stripColour.text, boxWidth / 2, boxWidth)]
      : strip(stripColour[stream], 0, boxWidth);
  return html`<g transform="translate(${round(x)} ${round(y)})"><title>${name}: ${number} parameter tokens, ${formatCount(parameters)} parameters, ${trained ? 'trained' : 'frozen'}, used by ${usedBy}</title><rect ${size} style="fill:${trained ? ink : tint}"/><rect ${size} fill="url(#${patternId(origin, trained, width)})"/>${strips}${label !== undefined && html`<text x="${round(boxWidth / 2)}" y="${round(boxHeight / 2 + font * 0.36)}" text-anchor="middle" font-weight="600" style="fill:${trained ? ON_SOLID : ink}">${label}</text>`}</g>`;
}

/** Both widths of one drawing may stand on one page. */
function patternId(origin: PictureGroup['origin'], solid: boolean, width: number): string {
  return `tokens-${origin}-${solid ? 'trained' : 'frozen'}-${width}`;
}

function round(pixels: number): number {
  return Number(pixels.toFixed(1));
}
