import type { DecodingOptions } from './decodingOptions.js';
import { createLanguage, openLanguage } from './internal/languageModel.js';
import type { LoadedModel } from './loadedModel.js';
import type { StackConfig } from './stackConfig.js';
import type { TensorData } from './tensorData.js';

/**
 * Which tokenizer: one of tiktoken's encodings (`gpt2`, `r50k_base`, `p50k_base`, `p50k_edit`, `cl100k_base`, `o200k_base`), or
 * a file that {@link trainTokenizer} or `tokenfuse tokenizer train` wrote.
 */
export type TokenizerChoice =
  | { readonly kind: 'tiktoken'; readonly encoding: string }
  | { readonly kind: 'bpe'; readonly path: string };

/** A new language TokenFormer. */
export interface LanguageModelOptions {
  /** The blocks. */
  readonly stack: StackConfig;
  /** Longest sequence in tokens. */
  readonly seqLen: number;
  /** Text to token ids and back; it also decides the vocabulary size. */
  readonly tokenizer: TokenizerChoice;
  /** Draws the parameters; 0 by default. Equal seeds give equal parameters. */
  readonly seed?: number;
  /** Standard deviation of the token embedding; 0.02 by default. */
  readonly embeddingStd?: number;
}

/** A continuation of a prompt. */
export interface GeneratedText {
  /** Without the prompt. */
  readonly text: string;
  /** log p of its tokens, in nats, the stop token included where it has one. */
  readonly logProb: number;
  /** Without the stop token. */
  readonly numTokens: number;
  /** False when `maxTokens` ended it. */
  readonly ended: boolean;
}

/** A language TokenFormer: token embedding, blocks, and an output tied to the embedding. */
export interface LanguageModel extends LoadedModel {
  /** Size of the vocabulary. */
  readonly vocabSize: number;
  /** Longest sequence it was made for, in tokens. */
  readonly seqLen: number;
  /** Token ids of a text. */
  encode(text: string): Int32Array;
  /**
   * Text of token ids.
   *
   * @throws RangeError for an id outside [0, vocabSize)
   */
  decode(tokenIds: ArrayLike<number>): string;
  /**
   * The forward pass: logits of the token after each position.
   *
   * @param tokenIds rows of equal length, [batch][seqLen]
   * @returns [batch, seqLen, vocabSize]
   * @throws UserError for rows of different length, no rows, or an id outside [0, vocabSize)
   */
  logits(tokenIds: readonly ArrayLike<number>[]): Promise<TensorData>;
  /**
   * Mean cross-entropy of texts, each between two end-of-text tokens, in nats per token.
   *
   * @throws UserError when a text has more than `seqLen` tokens, its end included
   */
  loss(texts: readonly string[]): Promise<number>;
  /**
   * Continues a prompt.
   *
   * @returns one result (greedy), `nBest` (beam, best first), or `numSamples`
   * @throws ConfigError for options that do not fit the method
   */
  generate(prompt: string, decoding?: DecodingOptions): Promise<GeneratedText[]>;
}

/**
 * Makes a language TokenFormer with random parameters: keys N(0, 0.02²), values N(0, (2/(L √d))²), τ = √n, as the official code.
 *
 * @throws ConfigError with one line per problem of the configuration
 * @throws UserError when the tokenizer's file cannot be read
 * @example
 * ```ts
 * using model = await createLanguageModel({
 *   stack: { dModel: 32, numLayers: 2, numHeads: 2, qkvParamTokens: 32, outputParamTokens: 32, ffnParamTokens: 64 },
 *   seqLen: 64,
 *   tokenizer: { kind: 'tiktoken', encoding: 'gpt2' },
 * });
 * console.log(await model.loss(['a red circle']));
 * ```
 */
export function createLanguageModel(options: LanguageModelOptions): Promise<LanguageModel> {
  return createLanguage(options);
}

/**
 * Loads a language backbone.
 *
 * @param path a run directory (its best checkpoint is taken) or a checkpoint folder
 * @throws UserError when there is none, or it holds a model of another kind
 * @example
 * ```ts
 * using model = await loadLanguageModel('runs/quickstart/language');
 * const [{ text }] = await model.generate('a red circle', { maxTokens: 12 });
 * ```
 */
export function loadLanguageModel(path: string): Promise<LanguageModel> {
  return openLanguage(path);
}
