import { UserError } from '#src/errors';
import type { Verdict } from '../results.js';
import { SIDE_TITLES } from '../figureTable.js';
import type { SideName } from '../side.js';
import { largestRelativeDifference } from '../statistics.js';

/** How far a number may be from a peer's, relative to it, before the run is called off. */
const BOUND = 1e-3;

/**
 * That all peers computed what we did: the largest difference from any of them; nothing where there is no peer.
 *
 * @throws UserError when one did not: a ratio of their times would say nothing
 */
export function agreement(
  what: string,
  ours: readonly number[],
  peers: ReadonlyMap<SideName, readonly number[]>,
): Verdict[] {
  if (peers.size === 0) return [];
  const differences = [...peers].map(([peer, theirs]) => {
    const count = Math.min(ours.length, theirs.length);
    const value = largestRelativeDifference(ours.slice(0, count), theirs.slice(0, count));
    if (value <= BOUND) return value;
    const got = `ours ${ours.join(', ')}, those of ${SIDE_TITLES[peer]} ${theirs.join(', ')}`;
    throw new UserError(`${what}: expected a relative difference of at most ${BOUND}, got ${value}: ${got}`);
  });
  return [{ label: `${what}, difference`, value: Math.max(...differences), target: { at: 'most', bound: BOUND } }];
}
