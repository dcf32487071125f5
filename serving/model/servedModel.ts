import { basename, dirname, resolve } from 'node:path';
import {
  attachJointGroup,
  type BackbonePrefix,
  captionPixels,
  continueText,
  type JointModel,
  loadJointModel,
  usePrefix,
} from '#fusion';
import {
  type AnyLanguageConfig,
  attachLanguageGroup,
  type Decoding,
  type GeneratedText,
  generateText,
  type LanguageModel,
  loadAnyLanguageModel,
  loadLanguageModel,
  type Tokenizer,
  useLanguagePrefix,
} from '#language';
import { ConfigError, UserError } from '#src/errors';
import { ParameterTree, type Sparsity } from '#src/tokenformer';
import { findCheckpoint, readModel, readModelDescription } from '#src/training';
import { ANY_VISION_KIND } from '#vision';
import type { ServedDescription } from '../settings.js';
import type { AnyBatch, Outcome, WorkName, Works } from '../works.js';
import { embedImages, jointEmbedder } from './embedImages.js';
import { scoreCaptions } from './scoreCaptions.js';

/** What of a model is used. */
export interface ModelUse {
  /** Paths of group files. */
  readonly groups: readonly string[];
  readonly prefix: BackbonePrefix | undefined;
  readonly sparsity: Sparsity | undefined;
}

type ItemOf<Name extends WorkName> = Works[Name]['item'];
type ResultOf<Name extends WorkName> = Works[Name]['result'];

/** What a kind of model can do. */
interface Abilities {
  caption?(items: readonly ItemOf<'caption'>[], decoding: Decoding): Promise<readonly ResultOf<'caption'>[]>;
  score?(items: readonly ItemOf<'score'>[]): Promise<readonly ResultOf<'score'>[]>;
  embed?(items: readonly ItemOf<'embed'>[]): Promise<readonly ResultOf<'embed'>[]>;
  generate?(item: ItemOf<'generate'>, decoding: Decoding): Promise<ResultOf<'generate'>>;
}

interface OpenedModel {
  readonly tree: ParameterTree;
  readonly pictures: ServedDescription['pictures'];
  /** Text is at most `seqLen` tokens of it. */
  readonly text?: { readonly tokenizer: Tokenizer; readonly seqLen: number };
  readonly abilities: Abilities;
  dispose(): void;
}

/** A model that works on batches, on the engine that is active. */
export interface ServedModel {
  readonly description: Omit<ServedDescription, 'engine' | 'version'>;
  /** @throws UserError for a setting that the model cannot follow, which is that of all items */
  run(batch: AnyBatch): Promise<readonly Outcome<ResultOf<WorkName>>[]>;
  dispose(): void;
}

/**
 * Loads a model of any kind to be served: a run directory or a checkpoint.
 *
 * @throws UserError for one that cannot be loaded; ConfigError for uses that its kind does not have
 */
export async function openServedModel(path: string, use: ModelUse): Promise<ServedModel> {
  const directory = findCheckpoint(path);
  const { kind } = readModelDescription(directory);
  const open = { fusion: openJoint, language: openLanguage, vision: openVision }[kind as ServedDescription['kind']];
  if (open === undefined) throw new UserError(`${directory}: expected a vision, language or merged model, got ${kind}`);
  const { tree, pictures, text, abilities, dispose } = await open(path, use);
  const parameters = tree.names().reduce((sum, name) => sum + tree.variable(name).size, 0);
  const works = (['caption', 'score', 'embed', 'generate'] as const).filter((work) => abilities[work] !== undefined);
  const run = resolve(path) === resolve(directory) ? dirname(dirname(resolve(directory))) : resolve(path);
  const tooLong = (what: string, given: string): string | undefined => {
    const tokens = text?.tokenizer.encode(given).length ?? 0;
    const most = (text?.seqLen ?? 0) - 1;
    return tokens <= most ? undefined : `${what}: expected at most ${most} tokens, got ${tokens}`;
  };
  return {
    description: { kind: kind as ServedDescription['kind'], name: basename(run), parameters, works, pictures },
    run: async (batch) => {
      switch (batch.work) {
        case 'caption':
          return resultsOf(await needed(abilities.caption)(batch.items, batch.setting));
        case 'embed':
          return resultsOf(await needed(abilities.embed)(batch.items));
        case 'score': {
          const refusals = batch.items.map(({ captions }) =>
            captions.map((caption) => tooLong('caption', caption)).find((why) => why !== undefined),
          );
          const fit = batch.items.filter((_, i) => refusals[i] === undefined);
          const scores = (fit.length === 0 ? [] : await needed(abilities.score)(fit)).values();
          return refusals.map((refusal) =>
            refusal === undefined ? { result: scores.next().value ?? [] } : { refusal },
          );
        }
        case 'generate': {
          const outcomes: Outcome<ResultOf<'generate'>>[] = [];
          for (const item of batch.items) {
            const refusal = tooLong('prompt', item.prompt);
            outcomes.push(
              refusal === undefined ? { result: await needed(abilities.generate)(item, batch.setting) } : { refusal },
            );
          }
          return outcomes;
        }
      }
    },
    dispose,
  };
}

function resultsOf<Result>(results: readonly Result[]): Outcome<Result>[] {
  return results.map((result) => ({ result }));
}

function needed<Ability>(ability: Ability | undefined): Ability {
  if (ability === undefined) throw new Error('ServedModel: expected work that the model can do, got other work');
  return ability;
}

async function openJoint(path: string, { groups, prefix, sparsity }: ModelUse): Promise<OpenedModel> {
  let model: JointModel = loadJointModel(path);
  for (const group of groups) model = await attachJointGroup(model, group);
  if (prefix) model = await usePrefix(model, prefix);
  model.tree.useSparsity(sparsity);
  const { vision, language } = model.config;
  const embedder = jointEmbedder(model);
  return {
    tree: model.tree,
    pictures: { imageSize: vision.backbone.imageSize, ...vision.preprocessing },
    text: { tokenizer: model.tokenizer, seqLen: language.backbone.seqLen },
    abilities: {
      caption: (items, decoding) =>
        captionPixels(model, pixelsOf(items), {
          ...{ decoding, bridge: true },
          imageIds: items.map(({ imageId }) => imageId),
        }),
      score: (items) => scoreCaptions(model, items),
      embed: (items) => embedImages(embedder, pixelsOf(items)),
      generate: ({ prompt }, decoding) => continueText(model, prompt, decoding),
    },
    dispose: () => model.dispose(),
  };
}

async function openLanguage(path: string, { groups, prefix, sparsity }: ModelUse): Promise<OpenedModel> {
  const isPlain = groups.length === 0 && prefix === undefined && sparsity === undefined;
  const model: LanguageModel<AnyLanguageConfig> = isPlain
    ? loadAnyLanguageModel(path)
    : await openTokenFormer(path, { groups, prefix, sparsity });
  return {
    tree: model.tree,
    pictures: null,
    text: { tokenizer: model.tokenizer, seqLen: model.config.seqLen },
    abilities: {
      generate: ({ prompt }, decoding): Promise<GeneratedText[]> => generateText(model, prompt, decoding),
    },
    dispose: () => model.dispose(),
  };
}

async function openTokenFormer(path: string, { groups, prefix, sparsity }: ModelUse): Promise<LanguageModel> {
  if (prefix && prefix.language === undefined) {
    throw new ConfigError('--prefix: expected one of the language backbone, which this model is');
  }
  let model = loadLanguageModel(path);
  for (const group of groups) model = await attachLanguageGroup(model, group);
  if (prefix?.language) model = await useLanguagePrefix(model, prefix.language);
  model.tree.useSparsity(sparsity);
  return model;
}

async function openVision(path: string, { groups, prefix, sparsity }: ModelUse): Promise<OpenedModel> {
  if (groups.length > 0 || prefix !== undefined || sparsity !== undefined) {
    throw new ConfigError('--group, --prefix, --sparse: expected a language or merged model, got a vision model');
  }
  const { config, tensors } = readModel(findCheckpoint(path), ANY_VISION_KIND);
  const tree = new ParameterTree(tensors);
  const { backbone, preprocessing } = config;
  return {
    tree,
    pictures: { imageSize: backbone.imageSize, ...preprocessing },
    abilities: { embed: (items) => embedImages({ tree, backbone }, pixelsOf(items)) },
    dispose: () => tree.dispose(),
  };
}

function pixelsOf(items: readonly { readonly pixels: Uint8Array }[]): Uint8Array[] {
  return items.map(({ pixels }) => pixels);
}
