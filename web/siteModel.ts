import { fusionMethod, isBuiltInMethod, JOINT_KIND } from '#fusion';
import {
  ANY_LANGUAGE_KIND,
  type AnyLanguageModelConfig,
  type Encoding,
  loadCheckpointTokenizer,
  readEncoding,
  type Tokenizer,
} from '#language';
import { UserError } from '#src/errors';
import { isBuiltInNormActivation } from '#src/kernels';
import type { HostTensor } from '#src/storage';
import { findCheckpoint, readModel, readModelDescription } from '#src/training';
import type { SiteModel } from './manifest.js';

/** A model from its checkpoint, with all that a page needs of it. */
export interface ReadSiteModel {
  readonly model: SiteModel;
  readonly tensors: ReadonlyMap<string, HostTensor>;
  readonly tokenizer: Tokenizer;
  readonly encoding: Encoding;
}

/**
 * Reads a merged model or a language model to be put on a page.
 *
 * @throws UserError for another kind, and for one that needs a plugin: a page has no code of plugins
 */
export function readSiteModel(path: string): ReadSiteModel {
  const directory = findCheckpoint(path);
  const { kind } = readModelDescription(directory);
  if (kind === 'vision') {
    throw new UserError(
      `${directory}: expected a merged model or a language model, got a vision model, which says nothing`,
    );
  }
  if (kind === 'language') {
    const { config, tensors } = readModel(directory, ANY_LANGUAGE_KIND);
    refusePlugins(directory, stackActivations(config.backbone.stack));
    return { model: { kind, config }, tensors, ...encodingOf(directory, config) };
  }
  const { config, tensors } = readModel(directory, JOINT_KIND);
  const stacks = [config.vision.backbone.stack, config.language.backbone.stack];
  refusePlugins(directory, stacks.flatMap(stackActivations), config.fusion.method);
  return { model: { kind, config }, tensors, ...encodingOf(directory, config.language) };
}

function encodingOf(directory: string, config: AnyLanguageModelConfig): Pick<ReadSiteModel, 'tokenizer' | 'encoding'> {
  const tokenizer = loadCheckpointTokenizer(directory, config);
  return { tokenizer, encoding: readEncoding(config.tokenizer, { baseDir: directory }) };
}

function stackActivations(stack: object): string[] {
  return 'normActivation' in stack && typeof stack.normActivation === 'string' ? [stack.normActivation] : [];
}

function refusePlugins(directory: string, normActivations: readonly string[], method?: string): void {
  const foreign = normActivations.find((name) => !isBuiltInNormActivation(name));
  const name = method !== undefined && !isBuiltInMethod(fusionMethod(method)) ? method : foreign;
  if (name === undefined) return;
  throw new UserError(
    `${directory}: '${name}' comes from a plugin, whose code a page cannot have; expected a model without one`,
  );
}
