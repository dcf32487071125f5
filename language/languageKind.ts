import type { ModelKind, StackOfKind } from '#src/training';
import { AnyLanguageModelConfig, LanguageModelConfig } from './languageModelConfig.js';
import { createLanguageParameters, LANGUAGE_GROUP } from './model/backbone.js';
import { languageStreamRole } from './model/streamRole.js';

/** Any language model as checkpoints hold it. */
export const ANY_LANGUAGE_KIND: ModelKind<AnyLanguageModelConfig> = {
  kind: 'language',
  noun: 'a language model',
  schema: AnyLanguageModelConfig,
  parameters: ({ backbone }, seed = 0) => createLanguageParameters(backbone, seed),
};

/** Language TokenFormers: what can be merged. */
export const LANGUAGE_KIND: ModelKind<LanguageModelConfig> = { ...ANY_LANGUAGE_KIND, schema: LanguageModelConfig };

/** The stack of a language backbone, which may grow. */
export const LANGUAGE_STACK: StackOfKind<AnyLanguageModelConfig> = {
  groupName: LANGUAGE_GROUP,
  roleOf: languageStreamRole,
  stackOf: ({ backbone }) => backbone.stack,
  withStack: (config, stack) => ({ ...config, backbone: { ...config.backbone, stack } }),
};
