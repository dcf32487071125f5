import { join } from 'node:path';
import { parseConfig } from '#src/config';
import { tf } from '#src/engine';
import { UserError } from '#src/errors';
import { ParameterTree } from '#src/tokenformer';
import { findCheckpoint, readCheckpoint, readModelDescription } from '#src/training';
import { type DecodeForward, type Decoding, decode, type Hypothesis, stopIdsOf } from './decoding/index.js';
import { LanguageModelConfig } from './experiment.js';
import { languageBlocks, languageHidden, languageLogits } from './model/backbone.js';
import type { LanguageConfig } from './model/config.js';
import { loadTokenizer, type Tokenizer } from './tokenizer/index.js';

/** A pretrained language backbone with its tokenizer. */
export interface LanguageModel {
  readonly tree: ParameterTree;
  readonly config: LanguageConfig;
  readonly tokenizer: Tokenizer;
  dispose(): void;
}

/** Loads the tokenizer that a checkpoint carries and checks that it is the one the model was trained with. */
export function loadCheckpointTokenizer(
  directory: string,
  { tokenizer: config, tokenizerFingerprint }: Pick<LanguageModelConfig, 'tokenizer' | 'tokenizerFingerprint'>,
): Tokenizer {
  const tokenizer = loadTokenizer(config, { baseDir: directory });
  if (tokenizer.fingerprint !== tokenizerFingerprint) {
    tokenizer.dispose();
    throw new UserError(`${directory}: its tokenizer is not the one the model was trained with (fingerprints differ)`);
  }
  return tokenizer;
}

/** Loads a language backbone from a run directory or a checkpoint folder. */
export function loadLanguageModel(path: string): LanguageModel {
  const directory = findCheckpoint(path);
  const { kind } = readModelDescription(directory);
  if (kind !== 'language') throw new UserError(`${directory}: expected a language model, got a ${kind} model`);
  const { model, tensors } = readCheckpoint(directory);
  const config = parseConfig(model.config, LanguageModelConfig, join(directory, 'model.json'));
  const tokenizer = loadCheckpointTokenizer(directory, config);
  const tree = new ParameterTree(tensors);
  return {
    tree,
    config: config.backbone,
    tokenizer,
    dispose: () => {
      tree.dispose();
      tokenizer.dispose();
    },
  };
}

/** The pass that `decode` repeats: logits of each row's last token. */
export function languageDecodeForward(tree: ParameterTree, config: LanguageConfig): DecodeForward {
  const blocks = languageBlocks(tree, config);
  return (tokenIds, memory) => {
    const { hidden, caches } = languageHidden(tree, config, tokenIds, { blocks, keepCaches: true, ...memory });
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

/** Continues `prompt` until a stop token or `maxTokens`; the best continuation, or the first drawn, comes first. */
export async function generateText(
  { tree, config, tokenizer }: LanguageModel,
  prompt: string,
  decoding: Decoding,
): Promise<GeneratedText[]> {
  const [results] = await decode(
    languageDecodeForward(tree, config),
    {
      rowNames: ['text'],
      prompt: [tokenizer.endOfTextId, ...tokenizer.encode(prompt)],
      stopIds: stopIdsOf(decoding, tokenizer),
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
