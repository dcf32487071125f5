import { z } from 'zod';
import { parseTokenAmount, type TokenAmount, tokensIn } from './tokenAmount.js';

/**
 * How much of each group an input token uses: the parameter tokens of the largest weights, a number of them or a share of
 * the group's; or those in the best of so many clusters of keys.
 */
export type Sparsity = TokenAmount | { readonly best: number; readonly clusters: number };

/** The forms of `parseSparsity`, for messages. */
export const SPARSITY_FORMS =
  'a number of parameter tokens (64), a share of each group (25%) or the best of its clusters (clusters:8/64)';

/** Reads `64`, `25%` or `clusters:8/64`; undefined for anything else, for 0 and for more than all. */
export function parseSparsity(text: string): Sparsity | undefined {
  const [, ...routed] = /^clusters:(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  if (routed.length > 0) {
    const [best, clusters] = routed.map(Number);
    return best >= 1 && best <= clusters ? { best, clusters } : undefined;
  }
  return parseTokenAmount(text);
}

/**
 * Parameter tokens of a group of n that an input token uses, by their weights: the number, or the share rounded up; at most
 * n. Clusters are not chosen by weights: n.
 */
export function strongestOf(sparsity: Sparsity | undefined, numParamTokens: number): number {
  if (sparsity === undefined || 'clusters' in sparsity) return numParamTokens;
  return tokensIn(sparsity, numParamTokens);
}

/** Parameter tokens for each cluster that a group needs, so as not to be left whole. */
const LEAST_PER_CLUSTER = 4;
/**
 * Parameter tokens that a group needs, so as not to be left whole: without most of its clusters one of 256 lost three times as much as
 * one of 2,048 (docs/sparse.md), and it is read in no time.
 */
const LEAST_ROUTED = 512;

/** Whether a group of n is cut into clusters, of which fewer than all are used. */
export function isRouted(
  sparsity: Sparsity | undefined,
  numParamTokens: number,
): sparsity is { readonly best: number; readonly clusters: number } {
  if (sparsity === undefined || !('clusters' in sparsity)) return false;
  const least = Math.max(LEAST_ROUTED, LEAST_PER_CLUSTER * sparsity.clusters);
  return sparsity.best < sparsity.clusters && numParamTokens >= least;
}

/** A sparsity as configurations keep it: its text. */
export const SparsityText = z
  .union([z.int().transform(String), z.string()])
  .refine((text) => parseSparsity(text) !== undefined, `expected ${SPARSITY_FORMS}`);
