import { z } from 'zod';
import { UserError } from '#src/errors';
import type { LabelNames, LabelRequirement } from '../data/index.js';
import type { AnyVisionConfig } from '../model/config.js';
import { AttributesConfig, createAttributes } from './attributes.js';
import { ClassifyConfig, createClassify } from './classify.js';
import { createJointEmbedding, JointEmbeddingConfig } from './jointEmbedding.js';
import { createMaskedPatches, MaskedPatchesConfig } from './maskedPatches.js';
import type { Objective } from './objective.js';
import { createSelfDistillation, SelfDistillationConfig } from './selfDistillation.js';

export type { Objective, ObjectiveInput, Tally } from './objective.js';
export { openTeachers, type Teachers } from './teacher.js';

/** Objectives of a vision backbone; several may be combined. */
export const ObjectiveConfig = z.discriminatedUnion('kind', [
  ClassifyConfig,
  AttributesConfig,
  MaskedPatchesConfig,
  JointEmbeddingConfig,
  SelfDistillationConfig,
]);
export type ObjectiveConfig = z.output<typeof ObjectiveConfig>;

/** Whether an objective learns from a moving average of the model's own parameters. */
export function hasTeacher({ kind }: ObjectiveConfig): boolean {
  return kind === 'jointEmbedding' || kind === 'selfDistillation';
}

/** The labels that an objective's data must carry. */
export function requiredLabels(config: ObjectiveConfig): LabelRequirement {
  if (config.kind === 'classify') return 'class';
  if (config.kind === 'attributes') return config.scope === 'grid' ? 'grid' : 'attributes';
  return 'none';
}

export function createObjective(
  config: ObjectiveConfig,
  vision: AnyVisionConfig,
  labels: LabelNames,
  seed: number,
): Objective {
  switch (config.kind) {
    case 'classify':
      return createClassify(config, vision, labels, seed);
    case 'attributes':
      return createAttributes(config, vision, labels, seed);
    case 'maskedPatches':
      return createMaskedPatches(config, vision, labels, seed);
    case 'jointEmbedding':
      return createJointEmbedding(config, vision, labels, seed);
    case 'selfDistillation':
      return createSelfDistillation(config, vision, labels, seed);
  }
}

/** The objectives of a model. @throws UserError when one is named twice */
export function createObjectives(
  configs: readonly ObjectiveConfig[],
  vision: AnyVisionConfig,
  labels: LabelNames,
  seed: number,
): Objective[] {
  const objectives = configs.map((config) => createObjective(config, vision, labels, seed));
  const duplicate = objectives.find(({ name }, i) => objectives.findIndex((other) => other.name === name) !== i);
  if (duplicate) throw new UserError(`objectives: expected each once, got '${duplicate.name}' twice`);
  return objectives;
}
