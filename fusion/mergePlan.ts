import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LANGUAGE_GROUP, LanguageModelConfig } from '#language';
import { parseConfig } from '#src/config';
import { UserError } from '#src/errors';
import { readSafetensorsHeader, type SafetensorsHeader } from '#src/storage';
import { LAYER_NAMES, layerParamTokens, layerPath, type TokenFormerConfig } from '#src/tokenformer';
import { findCheckpoint, readModelDescription } from '#src/training';
import { numImageTokens, POSITION_EMBEDDING, VISION_GROUP, VisionModelConfig } from '#vision';
import { addedParameters, type JointModelConfig } from './jointConfig.js';
import { type AddedGroup, type FusionMethod, fusionMethod } from './methods/index.js';
import type { MergeRecipe } from './recipe.js';

/** One group in one layer of the merged model. */
export interface PlannedGroup extends Omit<AddedGroup, 'stream' | 'start'> {
  /** The tokens that use it. */
  readonly stream: 'image' | 'text' | 'both';
  readonly origin: 'vision' | 'language' | 'bridge';
  readonly parameters: number;
  /** Initial values of a bridge: 0 or random. */
  readonly start?: AddedGroup['start'];
}

/** What a merge will do, known from headers alone. */
export interface MergePlan {
  readonly recipe: MergeRecipe;
  readonly config: JointModelConfig;
  readonly visionCheckpoint: string;
  readonly languageCheckpoint: string;
  readonly visionHeader: SafetensorsHeader;
  readonly languageHeader: SafetensorsHeader;
  readonly groups: readonly PlannedGroup[];
  readonly gates: readonly string[];
  readonly parameters: { readonly vision: number; readonly language: number; readonly fusion: number };
  /** Bytes of the merged model in float32. */
  readonly bytes: number;
}

/**
 * Reads both backbones' headers and descriptions, never a tensor, and either plans the merge or reports every problem at once.
 *
 * @param root where the recipe's paths start
 * @returns the plan, or the problems that keep it from being one
 */
export function planMerge(recipe: MergeRecipe, root: string): { plan?: MergePlan; problems: string[] } {
  const problems: string[] = [];
  const vision = openBackbone('vision', recipe.vision, root, problems);
  const language = openBackbone('language', recipe.language, root, problems);
  if (vision === undefined || language === undefined) return { problems };
  const config: JointModelConfig = {
    vision: vision.config as VisionModelConfig,
    language: language.config as LanguageModelConfig,
    fusion: recipe.fusion,
  };
  const v = config.vision.backbone.stack;
  const l = config.language.backbone.stack;
  const method = fusionMethod(recipe.fusion.method);
  problems.push(...stackProblems(v, l), ...(method.backboneProblems?.(config) ?? []));
  for (const name of vision.header.tensors.keys()) {
    if (language.header.tensors.has(name))
      problems.push(`both backbones hold a tensor '${name}': expected different names`);
  }
  const positions: [string, number[]] = [POSITION_EMBEDDING, [numImageTokens(config.vision.backbone), v.dModel]];
  problems.push(
    ...missingTensors(vision.header, [...stackTensors(VISION_GROUP, v), positions], recipe.vision),
    ...missingTensors(language.header, stackTensors(LANGUAGE_GROUP, l), recipe.language),
  );
  const added = addedParameters(config);
  for (const name of [...added.groups.map(({ path, group }) => `${path}/${group}/tau`), ...added.gates]) {
    if (vision.header.tensors.has(name) || language.header.tensors.has(name))
      problems.push(`method '${method.name}': adds '${name}', which a backbone holds; expected a name of its own`);
  }
  if (problems.length > 0) return { problems };

  const groups = [
    ...groupsOfBackbone(VISION_GROUP, v, method),
    ...groupsOfBackbone(LANGUAGE_GROUP, l, method),
    ...added.groups.map(
      (group): PlannedGroup => ({
        ...group,
        origin: 'bridge',
        parameters: group.numParamTokens * (group.dIn + group.dOut),
      }),
    ),
  ];
  const { gates } = added;
  const parameters = {
    vision: countParameters(vision.header),
    language: countParameters(language.header),
    fusion: groups.filter(({ origin }) => origin === 'bridge').reduce((sum, g) => sum + g.parameters, gates.length),
  };
  const plan: MergePlan = {
    recipe,
    config,
    visionCheckpoint: vision.directory,
    languageCheckpoint: language.directory,
    visionHeader: vision.header,
    languageHeader: language.header,
    groups,
    gates,
    parameters,
    bytes: 4 * (parameters.vision + parameters.language + parameters.fusion),
  };
  return { plan, problems };
}

function openBackbone(
  kind: 'vision' | 'language',
  path: string,
  root: string,
  problems: string[],
): { directory: string; header: SafetensorsHeader; config: VisionModelConfig | LanguageModelConfig } | undefined {
  try {
    const directory = findCheckpoint(resolve(root, path));
    const description = readModelDescription(directory);
    if (description.kind !== kind) {
      problems.push(`${kind}: ${path} holds a ${description.kind} model; expected a ${kind} model`);
      return undefined;
    }
    const schema = kind === 'vision' ? VisionModelConfig : LanguageModelConfig;
    const config = parseConfig(description.config, schema, join(directory, 'model.json'));
    if (
      'tokenizer' in config &&
      config.tokenizer.kind === 'bpe' &&
      !existsSync(join(directory, config.tokenizer.path))
    ) {
      problems.push(`language: ${path} has no ${config.tokenizer.path}; expected its tokenizer next to the model`);
    }
    return { directory, header: readSafetensorsHeader(join(directory, 'model.safetensors')), config };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    problems.push(`${kind}: ${error.message}`);
    return undefined;
  }
}

function stackProblems(vision: TokenFormerConfig, language: TokenFormerConfig): string[] {
  const mathDiffers = (['normActivation', 'gelu', 'normEpsilon'] as const)
    .filter((key) => vision[key] !== language[key])
    .map((key) => `${key} ${vision[key]} (vision) and ${language[key]} (language)`)
    .join(', ');
  return mathDiffers ? [`joint layers compute one way: expected equal settings, got ${mathDiffers}`] : [];
}

/** Every tensor of a stack with its shape. */
function stackTensors(name: string, stack: TokenFormerConfig): [string, number[]][] {
  const { numLayers, dModel } = stack;
  const groups = Array.from({ length: numLayers }, (_, l) =>
    LAYER_NAMES.flatMap((layer): [string, number[]][] => {
      const path = `${layerPath(l, layer)}/${name}`;
      const shape = [layerParamTokens(stack, layer), dModel];
      return [
        [`${path}/keyParamTokens`, shape],
        [`${path}/valueParamTokens`, shape],
        [`${path}/tau`, []],
      ];
    }),
  );
  return [...groups.flat(), [`${name}/finalNorm/scale`, [dModel]], [`${name}/finalNorm/bias`, [dModel]]];
}

function missingTensors(header: SafetensorsHeader, needed: [string, number[]][], path: string): string[] {
  return needed.flatMap(([name, shape]) => {
    const entry = header.tensors.get(name);
    if (entry === undefined) return [`${path}: has no tensor '${name}'`];
    if (String(entry.shape) === String(shape)) return [];
    return [`${path}: '${name}': expected [${shape}] by its model.json, got [${entry.shape}]`];
  });
}

function groupsOfBackbone(name: 'vision' | 'language', stack: TokenFormerConfig, method: FusionMethod): PlannedGroup[] {
  const own = name === 'vision' ? 'image' : 'text';
  return Array.from({ length: stack.numLayers }, (_, block) =>
    LAYER_NAMES.map((layer): PlannedGroup => {
      const numParamTokens = layerParamTokens(stack, layer);
      return {
        block,
        layer,
        path: layerPath(block, layer),
        group: name,
        numParamTokens,
        dIn: stack.dModel,
        dOut: stack.dModel,
        stream: method.backboneGroups === 'separate' ? own : 'both',
        origin: name,
        parameters: 2 * numParamTokens * stack.dModel,
      };
    }),
  ).flat();
}

function countParameters({ tensors }: SafetensorsHeader): number {
  let count = 0;
  for (const [name, { shape }] of tensors) if (!name.endsWith('/tau')) count += shape.reduce((p, n) => p * n, 1);
  return count;
}
