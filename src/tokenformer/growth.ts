import { z } from 'zod';
import { findNormActivation } from '#src/kernels';
import { LAYER_NAMES, type LayerName, stackGroups, type TokenFormerConfig } from './config.js';

/**
 * Where the parameter tokens that are appended to a trained group come from:
 *
 * - `preserve`: zero keys, random values, τ kept. Their scores are 0, so Θ([A 0]) = [Θ(A) 0] and the function stays.
 * - `official`: random keys and values, τ of the new number of tokens, as the official code loads a smaller checkpoint. The function
 *   changes: new scores enter the norm, and τ = √n grows.
 *
 * Source: TokenFormer, arXiv 2410.23168, §3.3; `custom_load_fn_incremental` in megatron/checkpointing.py at 4d56c73.
 */
export const TOKEN_POLICIES = ['preserve', 'official'] as const;
export type TokenPolicy = (typeof TOKEN_POLICIES)[number];

/** Where a TokenFormer's new tokens come from. `group`: a new group beside the others, random keys and zero values: the function stays whatever Θ is. */
export const GROWTH_POLICIES = [...TOKEN_POLICIES, 'group'] as const;
export type GrowthPolicy = (typeof GROWTH_POLICIES)[number];

const count = z.int().min(0);

/** Parameter tokens by layer, `{ query: 64, ffn: 256 }`. */
export const TokensByLayer = z
  .strictObject({
    query: count.optional().describe('in each query layer'),
    key: count.optional().describe('in each key layer'),
    value: count.optional().describe('in each value layer'),
    output: count.optional().describe('in each attention output'),
    ffn: count.optional().describe('in each feed-forward Pattention'),
  })
  .refine(
    (tokens) => Object.values(tokens).some((n) => (n ?? 0) > 0),
    'expected parameter tokens for a layer, got none',
  );
export type TokensByLayer = z.output<typeof TokensByLayer>;

/** What a TokenFormer grows by. */
export interface TokenFormerGrowth {
  readonly policy: GrowthPolicy;
  /** Every layer has so many times its parameter tokens afterwards; or `tokens`. */
  readonly factor?: number | undefined;
  readonly tokens?: TokensByLayer | undefined;
  /** Blocks that are appended. */
  readonly layers?: number | undefined;
}

/** The stack that a growth leads to. The new group of the policy `group` is called `grown1`, the next one `grown2`. */
export function grownStack(config: TokenFormerConfig, growth: TokenFormerGrowth): TokenFormerConfig {
  const groups = stackGroups(config, '').map(({ paramTokens }) => paramTokens);
  const added = (layer: LayerName): number => {
    if (growth.tokens) return growth.tokens[layer] ?? 0;
    const total = groups.reduce((sum, paramTokens) => sum + paramTokens[layer], 0);
    return Math.round(total * ((growth.factor ?? 1) - 1));
  };
  const grown = { ...config, numLayers: config.numLayers + (growth.layers ?? 0) };
  if (LAYER_NAMES.every((layer) => added(layer) === 0)) return grown;
  if (growth.policy === 'group') {
    const { appendedGroups = [] } = config;
    const taken = new Set(appendedGroups.map(({ name }) => name));
    let number = 1;
    while (taken.has(`grown${number}`)) number++;
    const [query, key, value, output, ffn] = LAYER_NAMES.map(added);
    return {
      ...grown,
      appendedGroups: [...appendedGroups, { name: `grown${number}`, query, key, value, output, ffn }],
    };
  }
  const [query, key, value, output, ffn] = LAYER_NAMES.map((layer) => groups[0][layer] + added(layer));
  const isUniform = query === key && key === value;
  return {
    ...grown,
    qkvParamTokens: isUniform ? query : { query, key, value },
    outputParamTokens: output,
    ffnParamTokens: ffn,
  };
}

/**
 * Why a trained stack cannot become another one by growth: one line per key that differs otherwise.
 *
 * @param place of the stack's keys in the larger model's file, such as `model.stack`
 * @param policy where tokens that are appended to a group come from
 */
export function growthProblems(
  from: TokenFormerConfig,
  to: TokenFormerConfig,
  policy: TokenPolicy,
  place = 'model.stack',
): string[] {
  const problems: string[] = [];
  for (const key of [
    'dModel',
    'numHeads',
    'normActivation',
    'gelu',
    'normEpsilon',
    'rotaryShare',
    'rotaryBase',
  ] as const) {
    if (from[key] !== to[key])
      problems.push(`${place}.${key}: expected ${from[key]}, as in the trained model, got ${to[key]}; growth keeps it`);
  }
  if (to.numLayers < from.numLayers) {
    problems.push(
      `${place}.numLayers: expected at least ${from.numLayers}, as in the trained model, got ${to.numLayers}`,
    );
  }
  const [before, after] = [stackGroups(from, 'own'), stackGroups(to, 'own')];
  let appends = false;
  for (const [i, { name, paramTokens }] of before.entries()) {
    const grown = after[i];
    if (grown?.name !== name) {
      problems.push(
        `${place}.appendedGroups: expected the groups of the trained model first, ${before
          .slice(1)
          .map((group) => group.name.slice('own.'.length))
          .join(', ')}`,
      );
      break;
    }
    for (const layer of LAYER_NAMES) {
      const [old, now] = [paramTokens[layer], grown.paramTokens[layer]];
      if (now < old || (old === 0 && now > 0)) {
        const group = i === 0 ? '' : ` of group ${name.slice('own.'.length)}`;
        const expected = old === 0 ? 'no' : `at least ${old}`;
        problems.push(
          `${place}: expected ${expected} parameter tokens in ${layer} layers${group}, as in the trained model, got ${now}`,
        );
      }
      if (now > old) appends = true;
    }
  }
  const refused = appends && policy === 'preserve' ? preserveProblem(from.normActivation) : undefined;
  if (refused !== undefined) problems.push(refused);
  return problems;
}

/** Why tokens with zero keys would change the function; undefined where they do not. */
export function preserveProblem(normActivation: string): string | undefined {
  if (findNormActivation(normActivation).exactZeroKeys) return undefined;
  return `policy: preserve keeps the function only where a score of 0 has weight 0, which ${normActivation} does not give it; use official, or group, which keeps it`;
}
