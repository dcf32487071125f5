import type { ModelKind, StackOfKind } from '#src/training';
import { LanguageModelConfig } from './languageModelConfig.js';
import { createLanguageParameters, LANGUAGE_GROUP } from './model/backbone.js';

/** Language models as checkpoints hold them. */
export const LANGUAGE_KIND: ModelKind<LanguageModelConfig> = {
  kind: 'language',
  noun: 'a language model',
  schema: LanguageModelConfig,
  parameters: ({ backbone }, seed = 0) => createLanguageParameters(backbone, seed),
};

/** The stack of a language model. */
export const LANGUAGE_STACK: StackOfKind<LanguageModelConfig> = {
  groupName: LANGUAGE_GROUP,
  stackOf: ({ backbone }) => backbone.stack,
  withStack: (config, stack) => ({ ...config, backbone: { ...config.backbone, stack } }),
};
