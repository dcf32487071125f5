import { textBatch } from '#language';
import { tf } from '#src/engine';
import {
  type ActiveGroup,
  type AttentionContext,
  type BlockLayers,
  LAYER_NAMES,
  LAYER_PATHS,
  type LayerName,
} from '#src/tokenformer';
import { numPatches } from '#vision';
import {
  captionLogits,
  type GroupReading,
  imageReadings,
  type JointModel,
  readImages,
  textBlocks,
} from '../jointModel.js';
import type { StateCache } from '../stateCache.js';
import { tokenWords } from './tokenWords.js';

/** Where a word's parameter tokens come from; bridges on text and on the image are told apart. */
export const GROUP_NAMES = ['vision', 'language', 'textBridge', 'imageBridge'] as const;
export type GroupName = (typeof GROUP_NAMES)[number];

/** Shares that sum to 1. */
export type GroupShares = Readonly<Record<GroupName, number>>;

/** What a model looked at, and which parameter tokens it drew on, while it said a word. */
export interface TracedWord {
  readonly word: string;
  /** Attention on each patch, row by row: mean over the tokens of the word, the layers and the heads. */
  readonly patches: readonly number[];
  /** Attention on image tokens altogether, in [0, 1]; the rest is on the words before. */
  readonly imageAttention: number;
  /** Shares by kind of layer, each a mean over the blocks. */
  readonly shares: Readonly<Record<LayerName, GroupShares>>;
}

export interface CaptionTrace {
  /** Position of the image in the data set. */
  readonly position: number;
  readonly words: readonly TracedWord[];
}

/** Sequences of one forward pass: intermediates of all layers are held at once. */
const BATCH = 16;

/**
 * Traces captions as the model would say them, each word at the positions that predict its tokens.
 *
 * A word draws on a group of parameter tokens by the share of output norm that the group writes. With y_g(x) what group g
 * of a Pattention layer makes of a token x, and a the attention of a position p, the mean over heads:
 *
 *   query, output, ffn    ‖y_g(x_p)‖ / Σ_g' ‖y_g'(x_p)‖
 *   key, value            Σ_j a_pj ‖y_g(x_j)‖ / Σ_g' Σ_j a_pj ‖y_g'(x_j)‖     j over the image tokens and words that p sees
 *
 * @param positions of the images in the cache, one for each of `captions`
 * @returns undefined for methods other than `routed` and `grouped`: groups under one norm have no outputs of their own, and
 *   the rest read the image elsewhere
 */
export async function captionTraces(
  model: JointModel,
  cache: StateCache,
  positions: readonly number[],
  captions: readonly string[],
): Promise<CaptionTrace[] | undefined> {
  if (!['routed', 'grouped'].includes(model.config.fusion.method)) return undefined;
  const traces: CaptionTrace[] = [];
  for (let first = 0; first < captions.length; first += BATCH) {
    const chunk = positions.slice(first, first + BATCH);
    traces.push(...(await traceBatch(model, cache, chunk, captions.slice(first, first + BATCH))));
  }
  return traces;
}

async function traceBatch(
  model: JointModel,
  cache: StateCache,
  positions: readonly number[],
  captions: readonly string[],
): Promise<CaptionTrace[]> {
  const end = model.tokenizer.endOfTextId;
  const ids = captions.map((caption) => Array.from(model.tokenizer.encode(caption)));
  const seqLen = Math.max(...ids.map(({ length }) => length)) + 1;
  const text = textBatch(
    ids.map((caption) => Int32Array.from([end, ...caption, end])),
    seqLen,
    end,
  );
  const tokenIds = text.tokenIds;
  const read = tf.tidy(() => {
    const states = cache.states(positions);
    const seen = new Map<string, tf.Tensor>();
    const contexts = readImages(model, states, { bridge: true });
    captionLogits(model, tf.tensor2d(tokenIds, [captions.length, seqLen], 'int32'), {
      bridge: true,
      contexts,
      capture: (name, compute) => {
        if (name.endsWith('/weights') || name.endsWith('attention/probabilities')) seen.set(name, compute());
      },
    });
    const blocks = textBlocks(model, true, { bridge: true });
    const attention = blocks.map(
      (_, l) => tf.mean(seen.get(`block${l}/attention/probabilities`) as tf.Tensor, 1) as tf.Tensor3D, // [batch, seqLen, keyLen]
    );
    const readings = imageReadings(model, states, { bridge: true });
    const perBlock = blocks.map((layers, l) =>
      layerNorms(layers, contexts[l], readings[l], attention[l], (name, group) => {
        return seen.get(`block${l}/${LAYER_PATHS[name]}/${group}/weights`) as tf.Tensor2D;
      }),
    );
    const shares = LAYER_NAMES.map((name) => tf.mean(tf.stack(perBlock.map((norms) => normalised(norms[name]))), 0));
    return {
      attention: tf.mean(tf.stack(attention), 0), // [batch, seqLen, keyLen]
      shares: tf.stack(shares, 2), // [batch, seqLen, layers, groups]
    };
  });
  const [attention, shares] = await Promise.all([read.attention.data(), read.shares.data()]);
  const keyLen = read.attention.shape[2] as number;
  tf.dispose([read.attention, read.shares]);

  const patches = numPatches(model.config.vision.vision);
  const imageTokens = keyLen - seqLen;
  return ids.map((caption, b) => ({
    position: positions[b],
    words: tokenWords(caption, model.tokenizer).map(({ word, tokens }) => {
      // Position p predicts token p: the input begins with the end-of-text token.
      const meanOf = (valueAt: (row: number) => number): number =>
        rounded(tokens.reduce((sum, p) => sum + valueAt(b * seqLen + p), 0) / tokens.length);
      const onKey = (key: number): number => meanOf((row) => attention[row * keyLen + key]);
      const columns = Array.from({ length: imageTokens }, (_, key) => onKey(key));
      return {
        word,
        // Where there is a class token, it stands before the patches.
        patches: columns.slice(imageTokens - patches),
        imageAttention: rounded(columns.reduce((sum, value) => sum + value, 0)),
        shares: Object.fromEntries(
          LAYER_NAMES.map((name, n) => [
            name,
            Object.fromEntries(
              GROUP_NAMES.map((group, g) => [
                group,
                meanOf((row) => shares[(row * LAYER_NAMES.length + n) * GROUP_NAMES.length + g]),
              ]),
            ),
          ]),
        ) as unknown as Record<LayerName, GroupShares>,
      };
    }),
  }));
}

/** Four decimals: traces are looked at, and kept by the thousand. */
function rounded(value: number): number {
  return Number(value.toFixed(4));
}

/** Norms by group, [batch, seqLen] each; a group that takes no part is absent. */
type Norms = Partial<Record<string, tf.Tensor2D>>;

/** Output norms of every layer of a block as the definition of `captionTraces` counts them. */
function layerNorms(
  layers: BlockLayers,
  { outputGroups }: AttentionContext,
  readings: { keys: readonly GroupReading[]; values: readonly GroupReading[] },
  attention: tf.Tensor3D,
  weightsOf: (name: LayerName, group: string) => tf.Tensor2D,
): Record<LayerName, Norms> {
  const [batch, seqLen, keyLen] = attention.shape;
  const imageTokens = keyLen - seqLen;
  const ownNorms = (name: LayerName, groups: readonly ActiveGroup[]): Norms =>
    Object.fromEntries(
      groups.map(({ group, gate }) => {
        const y = tf.matMul(weightsOf(name, group.name), group.valueParamTokens); // [batch · seqLen, dModel]
        const norm = tf.norm(gate === undefined ? y : tf.mul(y, tf.tanh(gate)), 2, 1);
        return [group.name, tf.reshape(norm, [batch, seqLen]) as tf.Tensor2D];
      }),
    );
  const onImage = tf.slice(attention, [0, 0, 0], [-1, -1, imageTokens]);
  const onText = tf.slice(attention, [0, 0, imageTokens], [-1, -1, seqLen]);
  const attended = (on: tf.Tensor3D, norms: tf.Tensor): tf.Tensor2D =>
    tf.reshape(tf.matMul(on, tf.reshape(norms, [batch, -1, 1])), [batch, seqLen]);
  const readNorms = (name: 'key' | 'value', image: readonly GroupReading[]): Norms => {
    const sums: Norms = {};
    const add = (group: string, norms: tf.Tensor2D): void => {
      const before = sums[group];
      sums[group] = before === undefined ? norms : (tf.add(before, norms) as tf.Tensor2D);
    };
    for (const [group, norms] of Object.entries(ownNorms(name, layers[name]))) {
      add(group, attended(onText, norms as tf.Tensor2D));
    }
    for (const { group, output } of image) add(group, attended(onImage, tf.norm(output, 2, 2)));
    return sums;
  };
  return {
    query: ownNorms('query', layers.query),
    key: readNorms('key', readings.keys),
    value: readNorms('value', readings.values),
    output: ownNorms('output', [...layers.output, ...outputGroups]),
    ffn: ownNorms('ffn', layers.ffn),
  };
}

/** Shares of the sum over groups. [batch, seqLen, groups] */
function normalised(norms: Norms): tf.Tensor3D {
  const present = Object.values(norms) as tf.Tensor2D[];
  const stacked = tf.stack(
    GROUP_NAMES.map((group) => norms[group] ?? tf.zerosLike(present[0])),
    2,
  );
  return tf.divNoNan(stacked, tf.sum(stacked, 2, true)) as tf.Tensor3D;
}
