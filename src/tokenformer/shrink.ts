import { ConfigError } from '#src/errors';
import { findNormActivation } from '#src/kernels';
import type { HostTensor } from '#src/storage';
import { stackGroups, type TokenFormerConfig, withParamTokens } from './config.js';
import type { TokensByLayer } from './growth.js';
import type { ParamTokenUsage } from './paramTokenUsage.js';
import { prefixStack } from './prefix.js';
import { layerPath } from './stack.js';
import type { TokenAmount } from './tokenAmount.js';

/**
 * What a stack is to lose: a share of every group's tokens in every layer, or numbers of the own group's by layer, the least used
 * ones; or all but a prefix of every group.
 */
export type Shrinkage =
  | { readonly share: number }
  | { readonly tokens: TokensByLayer }
  | { readonly prefix: TokenAmount };

/**
 * The stack that is left.
 *
 * @throws ConfigError when a layer would keep no token of its own group
 */
export function shrunkStack(config: TokenFormerConfig, shrinkage: Shrinkage): TokenFormerConfig {
  if ('prefix' in shrinkage) return prefixStack(config, shrinkage.prefix);
  if ('share' in shrinkage) {
    return withParamTokens(config, (_, __, tokens) => Math.max(1, Math.round(tokens * (1 - shrinkage.share))));
  }
  return withParamTokens(config, (group, layer, tokens) => {
    const dropped = (group === undefined && shrinkage.tokens[layer]) || 0;
    if (tokens > dropped) return tokens - dropped;
    throw new ConfigError(
      `--tokens: expected fewer than the ${tokens} parameter tokens of ${layer} layers, got ${dropped}`,
    );
  });
}

/**
 * Drops the least used parameter tokens of every layer: those that write least, mean |S_i| ‖V_i‖. The others stay in their order; τ
 * becomes that of the part, so that what they write stays about the same.
 *
 * @param usage of the trained stack, as a `UsageMeter` measured it
 * @param to what `shrunkStack` left of `from`
 */
export function shrinkParameters(
  tensors: ReadonlyMap<string, HostTensor>,
  usage: readonly ParamTokenUsage[],
  to: TokenFormerConfig,
  groupName: string,
): Map<string, HostTensor> {
  const { partTau } = findNormActivation(to.normActivation);
  const shrunk = new Map(tensors);
  const kept = new Map(stackGroups(to, groupName).map(({ name, paramTokens }) => [name, paramTokens]));
  for (const { block, layer, group, use, weight, squaredScore } of usage) {
    const count = kept.get(group)?.[layer];
    if (count === undefined || count >= use.length) continue;
    const rows = Array.from(use.keys())
      .sort((a, b) => use[b] - use[a] || a - b)
      .slice(0, count)
      .sort((a, b) => a - b);
    const path = `${layerPath(block, layer)}/${group}`;
    for (const what of ['keyParamTokens', 'valueParamTokens']) {
      const name = `${path}/${what}`;
      shrunk.set(name, rowsOf(tensors.get(name) as HostTensor, rows));
    }
    const tau = (tensors.get(`${path}/tau`) as HostTensor).values[0];
    const shares = { squaredScores: shareOf(squaredScore, rows), weights: shareOf(weight, rows) };
    const values = Float32Array.of(partTau ? partTau(tau, shares) : tau);
    shrunk.set(`${path}/tau`, { shape: [], values });
  }
  return shrunk;
}

/** Σ over some entries / Σ over all; 1 where all are 0. */
function shareOf(values: Float64Array, rows: readonly number[]): number {
  const total = values.reduce((sum, value) => sum + value, 0);
  return total === 0 ? 1 : rows.reduce((sum, row) => sum + values[row], 0) / total;
}

function rowsOf({ shape, values }: HostTensor, rows: readonly number[]): HostTensor {
  const width = values.length / shape[0];
  const chosen = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) chosen.set(values.subarray(row * width, (row + 1) * width), i * width);
  return { shape: [rows.length, ...shape.slice(1)], values: chosen };
}
