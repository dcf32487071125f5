import { z } from 'zod';
import { LANGUAGE_GROUP } from '#language';
import { cutToPrefix, parseTokenAmount, prefixStack, type TokenAmount } from '#src/tokenformer';
import { VISION_GROUP } from '#vision';
import type { JointModelConfig } from './jointConfig.js';
import type { JointModel } from './jointModel.js';

const BACKBONES = [VISION_GROUP, LANGUAGE_GROUP] as const;

/** How many of the first parameter tokens of each group to use, by backbone; one that is not named stays whole. */
export type BackbonePrefix = Partial<Readonly<Record<(typeof BACKBONES)[number], TokenAmount>>>;

/** The forms of `parseBackbonePrefix`, for messages. */
export const PREFIX_FORMS =
  'a share of each group (50%), a number of parameter tokens (64), or either by backbone (vision=25%,language=50%)';

/** Reads `50%`, `64` (of both backbones), or `vision=25%,language=50%`; undefined for anything else. */
export function parseBackbonePrefix(text: string): BackbonePrefix | undefined {
  const both = parseTokenAmount(text);
  if (both !== undefined) return { vision: both, language: both };
  const prefix: Record<string, TokenAmount> = {};
  for (const part of text.split(',')) {
    const [name, amountText, ...more] = part.split('=');
    const amount = parseTokenAmount(amountText ?? '');
    const backbone = BACKBONES.find((candidate) => candidate === name);
    if (more.length > 0 || amount === undefined || backbone === undefined || backbone in prefix) return undefined;
    prefix[backbone] = amount;
  }
  return prefix;
}

/** A prefix as configurations keep it: its text. */
export const PrefixText = z
  .union([z.int().transform(String), z.string()])
  .refine((text) => parseBackbonePrefix(text) !== undefined, `expected ${PREFIX_FORMS}`);

/**
 * The same model with prefixes of its backbones: bridges and attached groups stay whole. What is left out is freed; the model
 * given must not be used again.
 */
export async function usePrefix(model: JointModel, prefix: BackbonePrefix): Promise<JointModel> {
  let { config } = model;
  for (const name of BACKBONES) {
    const amount = prefix[name];
    if (amount === undefined) continue;
    const { backbone } = config[name];
    const stack = prefixStack(backbone.stack, amount, model.attachedGroups?.[name]);
    await cutToPrefix(model.tree, stack, name);
    config = { ...config, [name]: { ...config[name], backbone: { ...backbone, stack } } } as JointModelConfig;
  }
  return { ...model, config };
}
