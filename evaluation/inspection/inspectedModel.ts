import { type JointModel, loadJointModel } from '#fusion';
import { type LanguageConfig, loadLanguageModel, type Tokenizer } from '#language';
import { ParameterTree, type TokenFormerConfig } from '#src/tokenformer';
import { findCheckpoint, readModel, readModelDescription } from '#src/training';
import { VISION_KIND, type VisionModelConfig } from '#vision';

/** A model of any kind, as it is inspected. */
export interface InspectedModel {
  readonly kind: 'vision' | 'language' | 'fusion';
  /** The checkpoint folder. */
  readonly directory: string;
  readonly tree: ParameterTree;
  readonly vision?: VisionModelConfig;
  readonly language?: { readonly config: LanguageConfig; readonly tokenizer: Tokenizer };
  readonly joint?: JointModel;
  /** Of the vision, the language or, merged, the language backbone, with whose mathematics bridges compute. */
  readonly math: TokenFormerConfig;
  dispose(): void;
}

/** Loads a model of any kind from a run directory or a checkpoint folder. @throws UserError as its loader does */
export function openInspectedModel(path: string): InspectedModel {
  const directory = findCheckpoint(path);
  const { kind } = readModelDescription(directory);
  if (kind === 'vision') {
    const { config, tensors } = readModel(directory, VISION_KIND);
    const tree = new ParameterTree(tensors);
    return { kind, directory, tree, vision: config, math: config.backbone.stack, dispose: () => tree.dispose() };
  }
  if (kind === 'language') {
    const { tree, config, tokenizer, dispose } = loadLanguageModel(path);
    return { kind, directory, tree, language: { config, tokenizer }, math: config.stack, dispose };
  }
  const joint = loadJointModel(path);
  const { tree, config, tokenizer, dispose } = joint;
  const language = config.language.backbone;
  return {
    ...{ kind, directory, tree, joint, dispose },
    vision: config.vision,
    language: { config: language, tokenizer },
    math: language.stack,
  };
}
