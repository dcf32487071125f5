import type { Inspection } from '../inspection/index.js';
import { groupsOf, STREAMS, type StreamGroup } from './streams.js';

/** Parameter tokens on the page, over all groups. */
const MOST_SHOWN = 1500;

/** A group with the parameter tokens that the page shows of it. */
export interface ShownGroup extends StreamGroup {
  /** The most used first. */
  readonly most: readonly number[];
  /** The least used first, none of them among the most used. */
  readonly least: readonly number[];
}

/** The parameter tokens to show: of each group those used most, and half as many of those used least. */
export function shownTokens(inspection: Inspection, perGroup: number): ShownGroup[] {
  const all = STREAMS.flatMap(({ stream }) => groupsOf(inspection, stream));
  const most = Math.max(1, Math.min(perGroup, Math.floor(MOST_SHOWN / Math.max(1, 1.5 * all.length))));
  return all.slice(0, MOST_SHOWN).map((entry) => {
    const { use } = entry.use;
    const order = [...use.keys()].sort((a, b) => use[b] - use[a]);
    const used = order.slice(0, most).filter((token) => use[token] > 0);
    const rest = order.slice(used.length).reverse();
    return { ...entry, most: used, least: rest.slice(0, Math.ceil(most / 2)) };
  });
}
