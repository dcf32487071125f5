import { attachGroup, detachGroup, readGroupFile, requireTaskGroup } from '#src/groups';
import type { LanguageModel } from './languageModel.js';
import { createLanguageParameters, LANGUAGE_GROUP } from './model/backbone.js';
import type { LanguageConfig } from './model/config.js';

/** What of a language model attaching a group changes. */
type GroupedLanguage = Pick<LanguageModel, 'tree' | 'config' | 'attachedGroups'>;

/** Names of the parameters of a language backbone. */
export function languageNames(config: LanguageConfig): string[] {
  return [...createLanguageParameters(config, 0).keys()];
}

/**
 * Attaches the group in a file to a language backbone: the same model, whose configuration has one group more. The model given must
 * not be used again until the group is detached.
 *
 * @throws UserError when the file is damaged or does not go with the model
 */
export async function attachLanguageGroup<Model extends GroupedLanguage>(model: Model, path: string): Promise<Model> {
  const { tree, config, attachedGroups = [] } = model;
  const { stack, attached } = await attachGroup(
    {
      ...{ tree, backbone: LANGUAGE_GROUP, stack: config.stack, attached: attachedGroups },
      namesWith: (own) => languageNames({ ...config, stack: own }),
    },
    requireTaskGroup(readGroupFile(path)),
  );
  return { ...model, config: { ...config, stack }, attachedGroups: attached };
}

/** Takes an attached group out of a language backbone again. @throws UserError when there is none of that name */
export function detachLanguageGroup<Model extends GroupedLanguage>(model: Model, name: string): Model {
  const { tree, config, attachedGroups = [] } = model;
  const on = { tree, backbone: LANGUAGE_GROUP, stack: config.stack, attached: attachedGroups } as const;
  const { stack, attached } = detachGroup(on, name);
  return { ...model, config: { ...config, stack }, attachedGroups: attached };
}
