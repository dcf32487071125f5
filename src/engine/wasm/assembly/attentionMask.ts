/**
 * @file Which keys a row of attention scores sees, by position and padding.
 *
 * A row that sees no key at all ("blind") attends evenly to the keys hidden by the fewest causes, which is what a
 * finite penalty per cause (position, padding) amounts to.
 */
import { rowScale } from './softmaxRow';

/** Score of a key that a row does not attend to; its exponential is 0. */
const HIDDEN: f32 = -1e9;

/** Number of keys query i sees by its position: all up to its own place, and the prefix. */
export function visibleKeys(i: i32, queryLen: i32, keyLen: i32, prefixLen: i32): i32 {
  return min(keyLen, max(0, max(keyLen - queryLen + i + 1, prefixLen)));
}

/** Index of the first key that is not padding; keyLen when all are. `mask` 0: none is padding. */
export function firstUnpadded(mask: usize, keyLen: i32): i32 {
  if (mask == 0) return 0;
  let j = 0;
  while (j < keyLen && load<f32>(mask + j * sizeof<f32>()) <= 0) j++;
  return j;
}

/** Products q·k of one row → scores; those past `visible` are left for a row that sees something. */
export function maskRow(row: usize, mask: usize, visible: i32, keyLen: i32, blind: bool, scale: f32): void {
  if (!blind) {
    rowScale(row, visible, scale);
    if (mask == 0) return;
    for (let j = 0; j < visible; j++) {
      if (load<f32>(mask + j * sizeof<f32>()) <= 0) store<f32>(row + j * sizeof<f32>(), HIDDEN);
    }
    return;
  }
  let fewest = 2;
  for (let j = 0; j < keyLen; j++) fewest = min(fewest, hidingCauses(mask, j, visible));
  for (let j = 0; j < keyLen; j++) {
    store<f32>(row + j * sizeof<f32>(), hidingCauses(mask, j, visible) == fewest ? 0 : HIDDEN);
  }
}

function hidingCauses(mask: usize, j: i32, visible: i32): i32 {
  const padding = mask != 0 && load<f32>(mask + j * sizeof<f32>()) <= 0;
  return <i32>(j >= visible) + <i32>padding;
}

/** Keys that the rows of a block need scores for; blind rows come first and need all. */
export function blockExtent(i: i32, rows: i32, queryLen: i32, keyLen: i32, prefixLen: i32, firstSeen: i32): i32 {
  if (visibleKeys(i, queryLen, keyLen, prefixLen) <= firstSeen) return keyLen;
  return visibleKeys(i + rows - 1, queryLen, keyLen, prefixLen);
}
