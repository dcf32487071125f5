import type { ModelKind, StackOfKind } from '#src/training';
import { AnyLanguageModelConfig, LanguageModelConfig } from './languageModelConfig.js';
import { createLanguageParameters, LANGUAGE_GROUP } from './model/backbone.js';

/** Any language model as checkpoints hold it. */
export const ANY_LANGUAGE_KIND: ModelKind<AnyLanguageModelConfig> = {
  kind: 'language',
  noun: 'a language model',
  schema: AnyLanguageModelConfig,
  parameters: ({ backbone }, seed = 0) => createLanguageParameters(backbone, seed),
};

/** Language TokenFormers: what can be merged, and what grows by tokens. */
export const LANGUAGE_KIND: ModelKind<LanguageModelConfig> = { ...ANY_LANGUAGE_KIND, schema: LanguageModelConfig };

/** The stack of a language TokenFormer. */
export const LANGUAGE_STACK: StackOfKind<LanguageModelConfig> = {
  groupName: LANGUAGE_GROUP,
  stackOf: ({ backbone }) => backbone.stack,
  withStack: (config, stack) => ({ ...config, backbone: { ...config.backbone, stack } }),
};
