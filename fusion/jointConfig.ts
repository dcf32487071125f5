import { z } from 'zod';
import { LanguageModelConfig } from '#language';
import { VisionModelConfig } from '#vision';
import { type AddedGroup, fusionMethod, loraGroups } from './methods/index.js';
import { FusionConfig } from './recipe.js';

/** Checkpoints of format 1 call the image states `perLayer` 'aligned'. */
function withPresentNames(fusion: unknown): unknown {
  const isFormer = typeof fusion === 'object' && fusion !== null && 'imageStates' in fusion;
  return isFormer && fusion.imageStates === 'aligned' ? { ...fusion, imageStates: 'perLayer' } : fusion;
}

/** Description of a merged model: those of both backbones, unchanged, and how they were joined. */
export const JointModelConfig = z.strictObject({
  vision: VisionModelConfig,
  language: LanguageModelConfig,
  fusion: z.preprocess(withPresentNames, FusionConfig),
});
export type JointModelConfig = z.output<typeof JointModelConfig>;

/** The groups and the gates that the method adds to the backbones, in the order of the checkpoint. */
export function addedParameters(config: JointModelConfig): {
  readonly groups: readonly AddedGroup[];
  /** Shapes by name. */
  readonly gates: ReadonlyMap<string, readonly number[]>;
} {
  const method = fusionMethod(config.fusion.method);
  const { numHeads } = config.language.backbone.stack;
  const gates = new Map<string, readonly number[]>();
  for (const name of method.gates?.(config) ?? []) gates.set(name, []);
  for (const name of method.headGates?.(config) ?? []) gates.set(name, [numHeads]);
  return {
    groups: [...method.groups(config), ...loraGroups(config)].filter(({ numParamTokens }) => numParamTokens > 0),
    gates,
  };
}

/** Tells the parameters that fusion added, of groups and gates, from those of the backbones. */
export function fusionParameters(config: JointModelConfig): (name: string) => boolean {
  const { groups, gates } = addedParameters(config);
  const own = new Set([...gates.keys(), ...groups.map(({ path, group }) => `${path}/${group}`)]);
  return (name) => own.has(name) || own.has(name.slice(0, name.lastIndexOf('/')));
}
