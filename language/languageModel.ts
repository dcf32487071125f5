import { tf } from '#src/engine';
import { UserError } from '#src/errors';
import type { Stack } from '#src/stacks';
import type { HostTensor } from '#src/storage';
import { ParameterTree } from '#src/tokenformer';
import { findCheckpoint, type GroupIdentities, type ModelKind, openCheckpointFolder, readModel } from '#src/training';
import { type DecodeForward, type Decoding, decode, type Hypothesis, stopIdsOf, textSoFar } from './decoding/index.js';
import { ANY_LANGUAGE_KIND, LANGUAGE_KIND } from './languageKind.js';
import type { AnyLanguageModelConfig } from './languageModelConfig.js';
import { languageHidden, languageLogits, languageStack, useVocabulary } from './model/backbone.js';
import type { AnyLanguageConfig, LanguageConfig } from './model/config.js';
import { loadTokenizer, type Tokenizer } from './tokenizer/index.js';

/** A pretrained language backbone with its tokenizer. */
export interface LanguageModel<Config extends AnyLanguageConfig = LanguageConfig> {
  readonly tree: ParameterTree;
  readonly config: Config;
  readonly tokenizer: Tokenizer;
  /** Names of the groups that were attached to it. */
  readonly attachedGroups?: readonly string[];
  /** Groups that its checkpoint lacks: another process holds them. */
  readonly absent?: GroupIdentities;
  dispose(): void;
}

/**
 * Loads the tokenizer that a checkpoint carries and checks that it is the one the model was trained with. Its vocabulary may be
 * smaller than the model's, which is then padded, but not larger.
 *
 * @throws UserError when it lies outside of the checkpoint, or does not go with the model
 */
export function loadCheckpointTokenizer(
  directory: string,
  {
    backbone,
    tokenizer: config,
    tokenizerFingerprint,
  }: Pick<AnyLanguageModelConfig, 'backbone' | 'tokenizer' | 'tokenizerFingerprint'>,
): Tokenizer {
  if (config.kind === 'bpe') openCheckpointFolder(directory).pathOf(config.path, 'tokenizer');
  const tokenizer = loadTokenizer(config, { baseDir: directory });
  const problem =
    tokenizer.fingerprint !== tokenizerFingerprint
      ? 'its tokenizer is not the one the model was trained with (fingerprints differ)'
      : vocabularyProblem(tokenizer, backbone.vocabSize);
  if (problem === undefined) return tokenizer;
  tokenizer.dispose();
  throw new UserError(`${directory}: ${problem}`);
}

/** What is wrong with a tokenizer for an embedding of so many rows. */
export function vocabularyProblem({ name, vocabSize }: Tokenizer, rows: number): string | undefined {
  if (vocabSize <= rows) return undefined;
  return `its tokenizer ${name} has ${vocabSize} tokens, its embedding only ${rows} rows; expected a row for each token`;
}

/**
 * Loads a language TokenFormer from a run directory or a checkpoint folder.
 *
 * @param options.mayLackGroups takes a device checkpoint too
 * @throws UserError for a standard Transformer
 */
export function loadLanguageModel(path: string, options: { readonly mayLackGroups?: boolean } = {}): LanguageModel {
  return loadOfKind(path, LANGUAGE_KIND, options);
}

/** Loads a language backbone of either kind. */
export function loadAnyLanguageModel(path: string): LanguageModel<AnyLanguageConfig> {
  return loadOfKind(path, ANY_LANGUAGE_KIND);
}

function loadOfKind<Config extends AnyLanguageModelConfig>(
  path: string,
  kind: ModelKind<Config>,
  options: { readonly mayLackGroups?: boolean } = {},
): LanguageModel<Config['backbone']> {
  const directory = findCheckpoint(path);
  const { config, tensors, absent } = readModel(directory, kind, options);
  const tokenizer = loadCheckpointTokenizer(directory, config);
  return { ...languageModelOf(config.backbone, tensors, tokenizer), absent };
}

/** A language model of its parts, as a checkpoint or an exported page holds them. */
export function languageModelOf<Config extends AnyLanguageConfig>(
  config: Config,
  tensors: ReadonlyMap<string, HostTensor>,
  tokenizer: Tokenizer,
): LanguageModel<Config> {
  const tree = new ParameterTree(tensors);
  useVocabulary(tree, tokenizer.vocabSize);
  return {
    tree,
    config,
    tokenizer,
    dispose: () => {
      tree.dispose();
      tokenizer.dispose();
    },
  };
}

/** The pass that `decode` repeats: logits of each row's last token. @param stack the backbone's own unless given */
export function languageDecodeForward(
  tree: ParameterTree,
  config: AnyLanguageConfig,
  stack: Stack = languageStack(tree, config),
): DecodeForward {
  return (tokenIds, memory) => {
    const { hidden, caches } = languageHidden(tree, config, tokenIds, { stack, keepCaches: true, ...memory });
    return { logits: languageLogits(tree, lastOfRows(hidden, tokenIds.shape)), caches };
  };
}

/** [rows · newTokens, dModel] → [rows, dModel]; after the prompt there is nothing to take out. */
function lastOfRows(hidden: tf.Tensor2D, [rows, newTokens]: readonly number[]): tf.Tensor2D {
  if (newTokens === 1) return hidden;
  const perRow = tf.reshape(hidden, [rows, newTokens, -1]); // [rows, newTokens, dModel]
  return tf.reshape(tf.slice(perRow, [0, newTokens - 1, 0], [-1, 1, -1]), [rows, -1]) as tf.Tensor2D;
}

/** A continuation, and log p of its tokens in nats (with the stop token where it has one). */
export interface GeneratedText extends Pick<Hypothesis, 'logProb' | 'ended'> {
  readonly text: string;
  readonly numTokens: number;
}

/**
 * Continues `prompt` until a stop token or `maxTokens`; the best continuation, or the first drawn, comes first.
 *
 * @param options.stack of a merged model's text stream; the backbone's own unless given
 * @param options.onProgress hears after every token what the continuation is so far
 */
export async function generateText(
  { tree, config, tokenizer }: Pick<LanguageModel<AnyLanguageConfig>, 'tree' | 'config' | 'tokenizer'>,
  prompt: string,
  decoding: Decoding,
  { stack, onProgress }: { readonly stack?: Stack; readonly onProgress?: (text: string) => void } = {},
): Promise<GeneratedText[]> {
  const [results] = await decode(
    languageDecodeForward(tree, config, stack),
    {
      rowNames: ['text'],
      prompt: [tokenizer.endOfTextId, ...tokenizer.encode(prompt)],
      stopIds: stopIdsOf(decoding, tokenizer),
      onTokens: onProgress && (([tokenIds]) => onProgress(textSoFar(tokenizer, tokenIds))),
    },
    decoding,
  );
  return results.map(({ tokenIds, logProb, ended }) => ({
    text: tokenizer.decode(tokenIds),
    logProb,
    numTokens: tokenIds.length,
    ended,
  }));
}
