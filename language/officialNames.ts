import { parseConfig } from '#src/config';
import { UserError } from '#src/errors';
import { findNormActivation, type NormActivation } from '#src/kernels';
import type { HostTensor } from '#src/storage';
import { LAYER_NAMES, layerPath, valueProblems } from '#src/tokenformer';
import { LANGUAGE_GROUP } from './model/backbone.js';
import { LanguageConfig } from './model/config.js';

/** Where the official code keeps each layer of a block, under `sequential.N.`. */
const OFFICIAL_LAYERS = {
  query: 'attention.query',
  key: 'attention.key',
  value: 'attention.value',
  output: 'attention.proj',
  ffn: 'mlp',
} as const;

const EMBEDDING = 'sequential.0.word_embeddings.weight';

/**
 * Our parameter name ↔ the official one, for a model of `numLayers` blocks: embedding at 0, blocks at 2 … L+1,
 * final norm at L+3. Source: Haiyang-W/TokenFormer at 4d56c73, `to_sequential` of the pipeline model.
 */
export function officialNames(numLayers: number): Map<string, string> {
  const names = new Map<string, string>([[`${LANGUAGE_GROUP}/tokenEmbedding`, EMBEDDING]]);
  for (let l = 0; l < numLayers; l++) {
    for (const layer of LAYER_NAMES) {
      const ours = `${layerPath(l, layer)}/${LANGUAGE_GROUP}`;
      const theirs = `sequential.${l + 2}.${OFFICIAL_LAYERS[layer]}`;
      names.set(`${ours}/keyParamTokens`, `${theirs}.key_param_tokens`);
      names.set(`${ours}/valueParamTokens`, `${theirs}.value_param_tokens`);
    }
  }
  names.set(`${LANGUAGE_GROUP}/finalNorm/scale`, `sequential.${numLayers + 3}.norm.weight`);
  names.set(`${LANGUAGE_GROUP}/finalNorm/bias`, `sequential.${numLayers + 3}.norm.bias`);
  return names;
}

/** Our name of each official norm activation. */
const NORM_ACTIVATIONS: ReadonlyMap<string, string> = new Map([
  ['l2_norm_gelu', 'l2NormGelu'],
  ['gelu_l2_norm', 'geluL2Norm'],
  ['softmax', 'softmax'],
]);

/** The norm activations of the official code. */
export const OFFICIAL_NORM_ACTIVATIONS = [...NORM_ACTIVATIONS.keys()];

/** The Θ that an official name stands for. */
export function normActivationFromOfficial(name: string): NormActivation {
  const ours = NORM_ACTIVATIONS.get(name);
  if (ours === undefined)
    throw new UserError(`norm activation: expected ${OFFICIAL_NORM_ACTIVATIONS.join(', ')}; got '${name}'`);
  return findNormActivation(ours);
}

/** Settings of an official checkpoint that its tensors do not reveal. */
export interface OfficialSettings {
  readonly numHeads: number;
  /** Share of each head with rotary positions; 0.25 in the released models. */
  readonly rotaryShare: number;
  readonly normActivation: string;
  readonly seqLen: number;
}

/** A checkpoint with official names in ours. */
export interface FromOfficial {
  readonly config: LanguageConfig;
  readonly tensors: Map<string, HostTensor>;
  /** Official names of what has no place in the model, such as tables that are computed anew. */
  readonly unused: readonly string[];
}

/**
 * Translates a checkpoint with official names: configuration from the shapes, ε 0 and exact GELU as the official GPU
 * code computes, τ by the rule of Θ (√n; n for softmax), since that code derives it from n.
 *
 * @throws UserError naming the first tensor that is missing or has an unexpected shape, and an output layer that is not the
 *   embedding
 */
export function fromOfficial(
  tensors: ReadonlyMap<string, HostTensor>,
  { numHeads, rotaryShare, normActivation, seqLen }: OfficialSettings,
  what: string,
): FromOfficial {
  const matrix = (name: string): readonly [number, number] => {
    const { shape } = tensorOf(tensors, name, what);
    if (shape.length === 2 && shape.every((n) => n > 0)) return [shape[0], shape[1]];
    throw new UserError(`${what}: '${name}': expected a matrix, got shape [${shape}]`);
  };
  const [vocabSize, dModel] = matrix(EMBEDDING);
  if (dModel % numHeads !== 0) {
    throw new UserError(`${what}: expected a number of heads that divides its width ${dModel}, got ${numHeads}`);
  }
  let numLayers = 0;
  while (tensors.has(`sequential.${numLayers + 2}.mlp.key_param_tokens`)) numLayers++;
  if (numLayers === 0) throw new UserError(`${what}: expected blocks named 'sequential.2.…', got none`);
  const count = (layer: keyof typeof OFFICIAL_LAYERS): number =>
    matrix(`sequential.2.${OFFICIAL_LAYERS[layer]}.key_param_tokens`)[0];
  const activation = normActivationFromOfficial(normActivation);
  const config = parseConfig(
    {
      vocabSize,
      seqLen,
      stack: {
        dModel,
        numLayers,
        numHeads,
        qkvParamTokens: count('query'),
        outputParamTokens: count('output'),
        ffnParamTokens: count('ffn'),
        normActivation: activation.name,
        gelu: 'erf',
        normEpsilon: 0,
        rotaryShare,
        rotaryBase: 10_000,
      },
    },
    LanguageConfig,
    what,
  );
  const result = new Map<string, HostTensor>();
  const names = officialNames(numLayers);
  for (const [ours, theirs] of names) {
    const tensor = tensorOf(tensors, theirs, what);
    // Keys and values of a layer are as many as the keys of that layer in the first block.
    const firstKeys = theirs.replace(/^sequential\.\d+\.(.*)\.(key|value)_/, 'sequential.2.$1.key_');
    const expected = theirs.includes('.norm.') ? [dModel] : [matrix(firstKeys)[0], dModel];
    if (String(tensor.shape) !== String(expected)) {
      throw new UserError(`${what}: '${theirs}': expected shape [${expected}], got [${tensor.shape}]`);
    }
    if (!(tensor.values instanceof Float32Array)) {
      throw new UserError(`${what}: '${theirs}': expected a type with fractions (F32, F16, BF16), got whole numbers`);
    }
    result.set(ours, tensor);
    if (ours.endsWith('/keyParamTokens')) {
      const tau = activation.tau(tensor.shape[0]);
      result.set(ours.replace(/keyParamTokens$/, 'tau'), { shape: [], values: Float32Array.of(tau) });
    }
  }
  const problems = valueProblems(what, result);
  if (problems.length > 0) throw new UserError(problems.join('\n'));
  const used = new Set(names.values());
  const unused = [...tensors.keys()].filter((name) => !used.has(name));
  refuseOutputLayer(tensors, unused, what);
  return { config, tensors: result, unused };
}

function tensorOf(tensors: ReadonlyMap<string, HostTensor>, name: string, what: string): HostTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new UserError(`${what}: expected a tensor '${name}', it has none of that name`);
  return tensor;
}

/** Our output is the embedding; a layer of its own (`no_weight_tying` in the official code) would be lost. */
function refuseOutputLayer(tensors: ReadonlyMap<string, HostTensor>, unused: readonly string[], what: string): void {
  const embedding = tensorOf(tensors, EMBEDDING, what).values;
  for (const name of unused.filter((candidate) => /final_linear/.test(candidate))) {
    const { values } = tensorOf(tensors, name, what);
    if (values.length === embedding.length && values.every((value, i) => value === embedding[i])) continue;
    throw new UserError(
      `${what}: '${name}': expected no output layer beside the embedding, to which the output is tied; models with no_weight_tying cannot be converted`,
    );
  }
}
