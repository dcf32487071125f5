import { resolve } from 'node:path';
import {
  attachLanguageGroup,
  createLanguageParameters,
  detachLanguageGroup,
  generateText,
  type LanguageModel as InternalModel,
  LANGUAGE_KIND,
  LanguageConfig,
  type LanguageModelConfig,
  languageHidden,
  languageLogits,
  loadCheckpointTokenizer,
  loadTokenizer,
  summedTokenLoss,
  TOKENIZER_FILE,
  type Tokenizer,
  TokenizerConfig,
  textBatch,
  useVocabulary,
} from '#language';
import { parseConfig } from '#src/config';
import { tf } from '#src/engine';
import { UserError } from '#src/errors';
import { readBytes } from '#src/storage';
import { ParameterTree, TokenFormerConfig } from '#src/tokenformer';
import { findCheckpoint, readModel } from '#src/training';
import type { LanguageModel, LanguageModelOptions } from '../languageModel.js';
import { currentEngine } from './currentEngine.js';
import { decodingOf } from './decodingOf.js';
import { hostData } from './hostData.js';
import { storedModel } from './storedModel.js';

export async function createLanguage(options: LanguageModelOptions): Promise<LanguageModel> {
  const { seqLen, seed = 0, embeddingStd } = options;
  const stack = parseConfig(options.stack, TokenFormerConfig, 'stack');
  const choice = parseConfig(options.tokenizer, TokenizerConfig, 'tokenizer');
  await currentEngine();
  const tokenizer = loadTokenizer(choice, { baseDir: process.cwd() });
  const assets = new Map<string, Uint8Array>();
  if (choice.kind === 'bpe') assets.set(TOKENIZER_FILE, readBytes(resolve(choice.path), 'tokenizer'));
  const backbone = parseConfig({ vocabSize: tokenizer.vocabSize, seqLen, stack }, LanguageConfig, 'language model');
  return languageModel(new ParameterTree(createLanguageParameters(backbone, seed, embeddingStd)), tokenizer, assets, {
    backbone,
    tokenizer: choice.kind === 'bpe' ? { kind: 'bpe', path: TOKENIZER_FILE } : choice,
    tokenizerFingerprint: tokenizer.fingerprint,
  });
}

export async function openLanguage(path: string): Promise<LanguageModel> {
  const directory = findCheckpoint(path);
  const { config, tensors, assets } = readModel(directory, LANGUAGE_KIND);
  await currentEngine();
  return languageModel(new ParameterTree(tensors), loadCheckpointTokenizer(directory, config), assets, config);
}

function languageModel(
  tree: ParameterTree,
  tokenizer: Tokenizer,
  assets: ReadonlyMap<string, Uint8Array>,
  config: LanguageModelConfig,
): LanguageModel {
  const { seqLen } = config.backbone;
  const { vocabSize } = tokenizer;
  useVocabulary(tree, vocabSize);
  const release = (): void => {
    tree.dispose();
    tokenizer.dispose();
  };
  let model: InternalModel = { tree, config: config.backbone, tokenizer, dispose: release };
  return {
    ...storedModel<InternalModel>({
      current: () => model,
      become: (next) => {
        model = next;
      },
      attach: attachLanguageGroup,
      detach: detachLanguageGroup,
      describe: ({ config: backbone }) => ({ kind: 'language', config: { ...config, backbone } }),
      assets: () => assets,
      release,
    }),
    vocabSize,
    seqLen,
    encode: tokenizer.encode,
    decode: tokenizer.decode,
    logits: async (rows) => {
      const width = checkedWidth(rows, vocabSize);
      const ids = Int32Array.from(rows.flatMap((row) => Array.from(row))); // [batch · width]
      return hostData(() => {
        const { hidden } = languageHidden(tree, model.config, tf.tensor2d(ids, [rows.length, width], 'int32'));
        return tf.reshape(languageLogits(tree, hidden), [rows.length, width, vocabSize]);
      });
    },
    loss: async (texts) => {
      const batch = captionRows(texts, tokenizer, seqLen);
      const { values } = await hostData(() => {
        const ids = tf.tensor2d(batch.tokenIds, [batch.batch, batch.seqLen], 'int32');
        const { hidden } = languageHidden(tree, model.config, ids, { lengths: batch.lengths });
        return summedTokenLoss(tree, hidden, batch.labels);
      });
      return values[0] / batch.numTokens;
    },
    generate: async (prompt, decoding = {}) => generateText(model, prompt, decodingOf(decoding)),
  };
}

/**
 * Texts as one batch, each between two end-of-text tokens.
 *
 * @throws UserError when there is none, or one predicts more than `seqLen` tokens
 */
export function captionRows(
  texts: readonly string[],
  tokenizer: Tokenizer,
  seqLen: number,
): ReturnType<typeof textBatch> {
  if (texts.length === 0) throw new UserError('texts: expected at least one, got none');
  const end = tokenizer.endOfTextId;
  const rows = texts.map((text) => Int32Array.from([end, ...tokenizer.encode(text), end]));
  const width = Math.max(...rows.map((row) => row.length - 1));
  if (width > seqLen) {
    throw new UserError(
      `texts: expected at most ${seqLen} tokens (seqLen), the end included, got ${width}: shorten the text`,
    );
  }
  return textBatch(rows, width, end);
}

function checkedWidth(rows: readonly ArrayLike<number>[], vocabSize: number): number {
  const width = rows[0]?.length ?? 0;
  if (width === 0) throw new UserError('tokenIds: expected at least one row of at least one token, got none');
  for (const row of rows) {
    if (row.length !== width) {
      throw new UserError(`tokenIds: expected rows of equal length, got ${width} and ${row.length} tokens`);
    }
    const wrong = Array.from(row).find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
    if (wrong !== undefined) throw new UserError(`tokenIds: expected ids in [0, ${vocabSize}), got ${wrong}`);
  }
  return width;
}
