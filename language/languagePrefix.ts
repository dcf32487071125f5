import { cutToPrefix, prefixStack, type TokenAmount } from '#src/tokenformer';
import type { LanguageModel } from './languageModel.js';
import { LANGUAGE_GROUP } from './model/backbone.js';

/**
 * The same model with only the first parameter tokens of its groups: attached groups stay whole. What is left out is freed; the
 * model given must not be used again.
 */
export async function useLanguagePrefix(model: LanguageModel, amount: TokenAmount): Promise<LanguageModel> {
  const { tree, config, attachedGroups } = model;
  const stack = prefixStack(config.stack, amount, attachedGroups);
  await cutToPrefix(tree, stack, LANGUAGE_GROUP);
  return { ...model, config: { ...config, stack } };
}
