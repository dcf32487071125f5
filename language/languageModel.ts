import { join } from 'node:path';
import { parseConfig } from '#src/config';
import { UserError } from '#src/errors';
import { createRandom } from '#src/random';
import { ParameterTree } from '#src/tokenformer';
import { findCheckpoint, readCheckpoint, readModelDescription } from '#src/training';
import { languageHidden, languageLogits } from './backbone.js';
import type { LanguageConfig } from './config.js';
import { decode } from './decode.js';
import { LanguageModelConfig } from './experiment.js';
import { greedyToken, type SamplingOptions, sampleToken } from './sampling.js';
import { loadTokenizer, type Tokenizer } from './tokenizer/index.js';

/** A pretrained language backbone, ready to write. */
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
    config: config.language,
    tokenizer,
    dispose: () => {
      tree.dispose();
      tokenizer.dispose();
    },
  };
}

/** How to continue a text; without `sampling` the most probable token is taken each time. */
export interface GenerateOptions {
  readonly maxNewTokens: number;
  readonly sampling?: SamplingOptions;
  readonly seed: number;
}

/** Continues `prompt` until the end of text or `maxNewTokens`. */
export async function generateText(
  { tree, config, tokenizer }: LanguageModel,
  prompt: string,
  { maxNewTokens, sampling, seed }: GenerateOptions,
): Promise<string> {
  const random = createRandom(seed, 'generate');
  const [ids] = await decode(
    (tokenIds, caches) => {
      const result = languageHidden(tree, config, tokenIds, caches ? { caches } : {});
      return { logits: languageLogits(tree, result.hidden), caches: result.caches };
    },
    {
      batch: 1,
      prompt: [tokenizer.endOfTextId, ...tokenizer.encode(prompt)],
      maxNewTokens,
      stopId: tokenizer.endOfTextId,
      choose: (logits) => (sampling ? sampleToken(logits, sampling, random) : greedyToken(logits)),
    },
  );
  return tokenizer.decode(ids);
}
