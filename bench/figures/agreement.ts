import { UserError } from '#src/errors';
import type { Verdict } from '../results.js';
import { largestRelativeDifference } from '../statistics.js';

/** How far a number may be from PyTorch's, relative to it, before the run is called off. */
const BOUND = 1e-3;

/**
 * That both sides computed the same.
 *
 * @throws UserError when they did not: a ratio of their times would say nothing
 */
export function agreement(what: string, ours: readonly number[], theirs: readonly number[]): Verdict {
  const count = Math.min(ours.length, theirs.length);
  const value = largestRelativeDifference(ours.slice(0, count), theirs.slice(0, count));
  if (value <= BOUND) return { label: `${what}, difference`, value, target: { at: 'most', bound: BOUND } };
  const got = `ours ${ours.join(', ')}, PyTorch's ${theirs.join(', ')}`;
  throw new UserError(`${what}: expected a relative difference of at most ${BOUND}, got ${value}: ${got}`);
}
