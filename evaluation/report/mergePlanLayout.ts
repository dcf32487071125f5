import { type PictureBlock, type PictureGroup, type PictureLayer, pictureBlocks } from './mergePlanPicture.js';

/** A group's box, in pixels. */
export interface PlacedGroup {
  readonly group: PictureGroup;
  readonly x: number;
  readonly width: number;
}

export interface PlacedRow {
  readonly layer: PictureLayer;
  readonly y: number;
  readonly groups: readonly PlacedGroup[];
}

export interface PlacedBlock extends PictureBlock {
  /** The line of the block's name. */
  readonly titleY: number;
  readonly rows: readonly PlacedRow[];
}

export type ColumnName = 'vision' | 'imageBridge' | 'textBridge' | 'language';

export interface PlanColumn {
  readonly x: number;
  readonly width: number;
}

export interface PlanLayout {
  readonly height: number;
  /** Pixels per parameter token. */
  readonly scale: number;
  /** Whether a group is drawn wider than to scale, for its number to be read. */
  readonly widened: boolean;
  readonly columns: Readonly<Record<ColumnName, PlanColumn>>;
  readonly blocks: readonly PlacedBlock[];
}

export interface PlanMeasures {
  readonly width: number;
  /** Room for the names of layers, at the left. */
  readonly gutter: number;
  /** Room for the heads of the columns, at the top. */
  readonly head: number;
  readonly rowHeight: number;
  readonly rowGap: number;
  readonly blockGap: number;
  /** The line of a block's name. */
  readonly titleHeight: number;
  /** No group is drawn narrower. */
  readonly minWidth: number;
  /** Between the columns. */
  readonly columnGap: number;
}

const COLUMN_NAMES: readonly ColumnName[] = ['vision', 'imageBridge', 'textBridge', 'language'];
const BOX_GAP = 2;

/**
 * Places the groups of every layer in four columns, so that the bridges form a spine between the two backbones:
 *
 *             vision | bridges read by image tokens | bridges read by text tokens | language
 *     query    ▒▒▒▒▒▒                                ▓                             ▒▒▒▒▒▒
 *     key      ▒▒▒▒▒▒  ▓                             ▓                             ▒▒▒▒▒▒
 *     ffn  ▒▒▒▒▒▒▒▒▒▒                                                              ▒▒▒▒▒▒▒▒▒▒
 *
 * One scale for all rows, the largest that fits the width; widths are proportional to the number of parameter tokens,
 * down to `minWidth`. Vision and image bridges are set right, towards the spine, the others left.
 */
export function layoutMergePlan(layers: readonly PictureLayer[], measures: PlanMeasures): PlanLayout {
  const { width, gutter, head, rowHeight, rowGap, blockGap, titleHeight, minWidth, columnGap } = measures;
  const blocks = pictureBlocks(layers);
  const rows = blocks.flatMap((block) => block.layers.map(columnsOf));
  const boxWidth = (group: PictureGroup, scale: number) => Math.max(minWidth, group.numParamTokens * scale);
  const rowWidth = (groups: readonly PictureGroup[], scale: number) =>
    groups.reduce((sum, group) => sum + boxWidth(group, scale), BOX_GAP * Math.max(0, groups.length - 1));
  const columnWidths = (scale: number) =>
    COLUMN_NAMES.map((name) => Math.max(0, ...rows.map((row) => rowWidth(row[name], scale))));
  const numGaps = Math.max(0, columnWidths(1).filter((columnWidth) => columnWidth > 0).length - 1);
  const room = width - gutter - numGaps * columnGap;

  const totalWidth = (scale: number) => columnWidths(scale).reduce((sum, columnWidth) => sum + columnWidth, 0);
  let scale = 0;
  // Widths grow with the scale, so it is found by halving; more than 12 pixels a token would be silly.
  for (let step = 12; step > 1e-7; step /= 2) if (totalWidth(scale + step) <= room) scale += step;

  const widths = columnWidths(scale);
  let x = gutter;
  const columns = {} as Record<ColumnName, PlanColumn>;
  COLUMN_NAMES.forEach((name, i) => {
    columns[name] = { x, width: widths[i] };
    if (widths[i] > 0) x += widths[i] + columnGap;
  });

  const placeRow = (layer: PictureLayer, rowY: number): PlacedRow => {
    const byColumn = columnsOf(layer);
    const groups = COLUMN_NAMES.flatMap((name) => {
      const column = columns[name];
      const towardsLeft = name === 'textBridge' || name === 'language';
      let boxX = towardsLeft ? column.x : column.x + column.width - rowWidth(byColumn[name], scale);
      return byColumn[name].map((group) => {
        const placed = { group, x: boxX, width: boxWidth(group, scale) };
        boxX += placed.width + BOX_GAP;
        return placed;
      });
    });
    return { layer, y: rowY, groups };
  };

  let y = head;
  const placedBlocks = blocks.map((block): PlacedBlock => {
    const titleY = y;
    y += titleHeight;
    const placed = block.layers.map((layer, i) => placeRow(layer, y + i * (rowHeight + rowGap)));
    y += block.layers.length * (rowHeight + rowGap) - rowGap + blockGap;
    return { ...block, titleY, rows: placed };
  });
  const widened = rows.some((row) => Object.values(row).some((groups) => groups.some(isWidened)));
  function isWidened(group: PictureGroup): boolean {
    return group.numParamTokens * scale < minWidth;
  }
  return { height: y - (blocks.length > 0 ? blockGap : 0), scale, widened, columns, blocks: placedBlocks };
}

function columnsOf({ groups }: PictureLayer): Record<ColumnName, PictureGroup[]> {
  const bridges = groups.filter(({ origin }) => origin === 'bridge');
  return {
    vision: groups.filter(({ origin }) => origin === 'vision'),
    imageBridge: bridges.filter(({ stream }) => stream === 'image'),
    textBridge: bridges.filter(({ stream }) => stream !== 'image'),
    language: groups.filter(({ origin }) => origin === 'language'),
  };
}
