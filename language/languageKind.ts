import type { ModelKind } from '#src/training';
import { LanguageModelConfig } from './languageModelConfig.js';
import { createLanguageParameters } from './model/backbone.js';

/** Language models as checkpoints hold them. */
export const LANGUAGE_KIND: ModelKind<LanguageModelConfig> = {
  kind: 'language',
  noun: 'a language model',
  schema: LanguageModelConfig,
  parameters: ({ backbone }) => createLanguageParameters(backbone, 0),
};
