import { createRandom } from '#src/random';
import type { DrawnPicture, PictureSets } from './picture.js';
import { nearGroups } from './pictureLook.js';

/** Shares of the pictures outside training. */
export interface Shares {
  readonly validationShare: number;
  readonly testShare: number;
  readonly seed: number;
}

/** Draws `train`, `val` and `test`; pictures that look alike are on one side together. */
export function splitByShare(
  drawn: readonly DrawnPicture[],
  { validationShare, testShare, seed }: Shares,
): PictureSets {
  const members = new Map<number, DrawnPicture[]>();
  const groups = nearGroups(drawn.map(({ look }) => look));
  for (const [i, picture] of drawn.entries()) members.set(groups[i], [...(members.get(groups[i]) ?? []), picture]);
  const sets = { test: [] as DrawnPicture[], val: [] as DrawnPicture[], train: [] as DrawnPicture[] };
  const most = { test: Math.round(testShare * drawn.length), val: Math.round(validationShare * drawn.length) };
  for (const group of createRandom(seed, 'shares').shuffled([...members.values()])) {
    const fits = (name: 'test' | 'val'): boolean => sets[name].length + group.length <= most[name];
    sets[fits('test') ? 'test' : fits('val') ? 'val' : 'train'].push(...group);
  }
  return {
    sets: new Map(
      (['train', 'val', 'test'] as const).flatMap((name) => (sets[name].length === 0 ? [] : [[name, sets[name]]])),
    ),
    leftOut: {},
  };
}
