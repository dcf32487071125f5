import { resolve } from 'node:path';
import { LANGUAGE_GROUP, LANGUAGE_KIND, loadCheckpointTokenizer, TOKENIZER_FILE } from '#language';
import { UserError } from '#src/errors';
import { readSafetensorsHeader, type SafetensorsHeader } from '#src/storage';
import { LAYER_NAMES, layerPath, parameterProblems, stackGroups, type TokenFormerConfig } from '#src/tokenformer';
import {
  findCheckpoint,
  type ModelKind,
  openCheckpointFolder,
  parametersOf,
  readModelConfig,
  readModelDescription,
} from '#src/training';
import { VISION_GROUP, VISION_KIND } from '#vision';
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
  const vision = openBackbone(VISION_KIND, recipe.vision, root, problems);
  const language = openBackbone(LANGUAGE_KIND, recipe.language, root, problems, (directory, config) =>
    loadCheckpointTokenizer(directory, config).dispose(),
  );
  if (vision === undefined || language === undefined) return { problems };
  const config: JointModelConfig = {
    vision: vision.config,
    // Its tokenizer goes into the merged folder under this name.
    language:
      language.config.tokenizer.kind === 'bpe'
        ? { ...language.config, tokenizer: { kind: 'bpe', path: TOKENIZER_FILE } }
        : language.config,
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
  const added = addedParameters(config);
  for (const name of [...added.groups.map(({ path, group }) => `${path}/${group}/tau`), ...added.gates.keys()]) {
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
  const gates = [...added.gates.keys()];
  const inGates = [...added.gates.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
  const parameters = {
    vision: countParameters(vision.header),
    language: countParameters(language.header),
    fusion: groups.filter(({ origin }) => origin === 'bridge').reduce((sum, g) => sum + g.parameters, inGates),
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

interface Backbone<Config> {
  readonly directory: string;
  readonly header: SafetensorsHeader;
  readonly config: Config;
}

/** Everything of a backbone but its tensors: description, header against the parameters that it implies, tokenizer. */
function openBackbone<Config>(
  modelKind: ModelKind<Config>,
  path: string,
  root: string,
  problems: string[],
  check: (directory: string, config: Config) => void = () => undefined,
): Backbone<Config> | undefined {
  const { kind } = modelKind;
  try {
    const directory = findCheckpoint(resolve(root, path));
    const description = readModelDescription(directory);
    if (description.kind !== kind) {
      problems.push(`${kind}: ${path} holds a ${description.kind} model; expected a ${kind} model`);
      return undefined;
    }
    const folder = openCheckpointFolder(directory);
    const config = readModelConfig(folder, modelKind);
    const header = readSafetensorsHeader(folder.pathOf('model.safetensors', 'tensors'));
    problems.push(...parameterProblems(header, parametersOf(folder, modelKind, config)));
    folder.verifySizes();
    check(directory, config);
    return { directory, header, config };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    problems.push(...error.message.split('\n').map((line) => `${kind}: ${line}`));
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

function groupsOfBackbone(name: 'vision' | 'language', stack: TokenFormerConfig, method: FusionMethod): PlannedGroup[] {
  const own = name === 'vision' ? 'image' : 'text';
  const groups = stackGroups(stack, name);
  return Array.from({ length: stack.numLayers }, (_, block) =>
    LAYER_NAMES.flatMap((layer) =>
      groups
        .filter(({ paramTokens }) => paramTokens[layer] > 0)
        .map(
          ({ name: group, paramTokens }): PlannedGroup => ({
            block,
            layer,
            path: layerPath(block, layer),
            group,
            numParamTokens: paramTokens[layer],
            dIn: stack.dModel,
            dOut: stack.dModel,
            stream: method.backboneGroups === 'separate' ? own : 'both',
            origin: name,
            parameters: 2 * paramTokens[layer] * stack.dModel,
          }),
        ),
    ),
  ).flat();
}

function countParameters({ tensors }: SafetensorsHeader): number {
  let count = 0;
  for (const [name, { shape }] of tensors) if (!name.endsWith('/tau')) count += sizeOf(shape);
  return count;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
