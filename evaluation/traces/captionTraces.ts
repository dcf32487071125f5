import type { FusionOptions, JointModel, LayerReading, StateCache } from '#fusion';
import { captionLogits, imageContexts, textBlocks } from '#fusion';
import { textBatch } from '#language';
import { tf } from '#src/engine';
import { LAYER_NAMES, LAYER_PATHS, type LayerName } from '#src/tokenformer';
import { startWork } from '#src/tracking';
import { numPatches } from '#vision';
import {
  type DrawTally,
  GROUP_NAMES,
  type GroupName,
  type TokenRange,
  type TokenShare,
  topTokens,
} from './drawTally.js';
import { tokenWords } from './tokenWords.js';
import { type WrittenByGroup, writtenNorms } from './writtenNorms.js';

/** Shares that sum to 1. */
export type GroupShares = Readonly<Record<GroupName, number>>;

/** What a model attended to, and which parameter tokens it drew on, while it generated a word. */
export interface TracedWord {
  readonly word: string;
  /** Attention on each patch, row by row: mean over the tokens of the word, the layers and the heads. Empty where no image is read. */
  readonly patches: readonly number[];
  /** Attention on image tokens altogether, in [0, 1]; the rest is on the words before. */
  readonly imageAttention: number;
  /** Shares by kind of layer, each a mean over the blocks. */
  readonly shares: Readonly<Record<LayerName, GroupShares>>;
  /** The single parameter tokens it drew on most, the first of all. */
  readonly tokens: readonly TokenShare[];
}

export interface CaptionTrace {
  /** Position of the image in the data set. */
  readonly position: number;
  readonly words: readonly TracedWord[];
}

export interface TraceOptions extends Partial<FusionOptions> {
  readonly tally?: DrawTally;
}

/** Sequences of one forward pass: intermediates of all layers are held at once. */
const BATCH = 16;

/** Parameter tokens kept of a word. */
const TOP_TOKENS = 5;

/**
 * Traces given captions, each word at the positions that predict its tokens.
 *
 * A word draws on a group of parameter tokens by the share of output norm that the group writes. With y_g(x) what group g
 * of a Pattention layer makes of a token x, and a the attention of a position p, the mean over heads:
 *
 *   query, output, ffn    ‖y_g(x_p)‖ / Σ_g' ‖y_g'(x_p)‖
 *   key, value            Σ_j a_pj ‖y_g(x_j)‖ / Σ_g' Σ_j a_pj ‖y_g'(x_j)‖     j over the image tokens and words that p sees
 *
 * The share of a group is divided among its parameter tokens by what each writes alone, s_i V_i with s = Θ(x Kᵀ):
 *
 *   query, output, ffn    share_g · |s_i(x_p)| ‖V_i‖ / Σ_i' |s_i'(x_p)| ‖V_i'‖
 *   key, value            the same, with Σ_j a_pj |s_i(x_j)| in the place of |s_i(x_p)|
 *
 * each over the number of layers, so that the shares of all parameter tokens of a model sum to 1 for every word.
 *
 * @param positions of the images in the cache, one for each of `captions`
 * @param options.tally takes what every word drew of every parameter token
 * @param options.bridge whether what alignment trained takes part; by default it does
 * @returns undefined for a fusion method without `imageReadings`: its groups have no outputs of their own (one norm for all), or
 *   it reads the image elsewhere
 */
export async function captionTraces(
  model: JointModel,
  cache: Pick<StateCache, 'states'>,
  positions: readonly number[],
  captions: readonly string[],
  { tally, bridge = true }: TraceOptions = {},
): Promise<CaptionTrace[] | undefined> {
  const { imageReadings } = model.method;
  if (imageReadings === undefined) return undefined;
  const readingsOf: ReadingsOf = (states) => imageReadings(model, states, { bridge });
  const traces: CaptionTrace[] = [];
  const report = startWork('traces', captions.length, 'captions');
  for (let first = 0; first < captions.length; first += BATCH) {
    const chunk = positions.slice(first, first + BATCH);
    traces.push(
      ...(await traceBatch(model, readingsOf, cache, chunk, captions.slice(first, first + BATCH), { tally, bridge })),
    );
    report(traces.length);
  }
  return traces;
}

/** Of a text layer that reads no image. */
const NOTHING = { outputGroups: [], keys: [], values: [] };

/** The image as the text layers read it, group by group. */
type ReadingsOf = (states: tf.Tensor4D) => LayerReading[];

async function traceBatch(
  model: JointModel,
  readingsOf: ReadingsOf,
  cache: Pick<StateCache, 'states'>,
  positions: readonly number[],
  captions: readonly string[],
  { tally, bridge }: TraceOptions & FusionOptions,
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
  // Position p predicts token p: the input begins with the end-of-text token.
  const words = ids.map((caption) => tokenWords(caption, model.tokenizer));
  const places = words.flatMap((ofCaption, b) => ofCaption.map(({ tokens }) => tokens.map((p) => b * seqLen + p)));
  if (places.length === 0) return positions.map((position) => ({ position, words: [] }));
  const ranges: TokenRange[] = [];
  const read = tf.tidy(() => {
    const states = cache.states(positions);
    const seen = new Map<string, tf.Tensor>();
    const contexts = imageContexts(model, states, { bridge });
    captionLogits(model, tf.tensor2d(tokenIds, [captions.length, seqLen], 'int32'), {
      bridge,
      contexts,
      capture: (name, compute) => {
        if (name.endsWith('/weights') || name.endsWith('attention/probabilities')) seen.set(name, compute());
      },
    });
    const blocks = textBlocks(model, true, { bridge });
    const attention = blocks.map(
      (_, l) => tf.mean(seen.get(`block${l}/attention/probabilities`) as tf.Tensor, 1) as tf.Tensor3D, // [batch, seqLen, keyLen]
    );
    // Behind gates that only the bridge opens, nothing of the image is read.
    const readings = contexts.length === 0 ? blocks.map(() => NOTHING) : readingsOf(states);
    const math = model.config.language.backbone.stack;
    const pick = meansOf(places, captions.length * seqLen); // [words, batch · seqLen]
    const drawn: tf.Tensor2D[] = [];
    const perBlock = blocks.map((layers, block) => {
      const written = writtenNorms(
        {
          ...{ layers, context: contexts[block] ?? NOTHING, image: readings[block], attention: attention[block] },
          weightsOf: (name, group) => seen.get(`block${block}/${LAYER_PATHS[name]}/${group}/weights`) as tf.Tensor2D,
        },
        math,
      );
      return LAYER_NAMES.map((layer) => {
        const shares = groupShares(written[layer]);
        for (const [g, group] of GROUP_NAMES.entries()) {
          const tokens = written[layer][group]?.tokens;
          if (tokens === undefined) continue;
          const count = tokens.shape[2];
          ranges.push({ block, layer, group, count });
          const perToken = tf.mul(
            tf.divNoNan(tokens, tf.sum(tokens, 2, true)),
            tf.slice(shares, [0, 0, g], [-1, -1, 1]),
          );
          drawn.push(tf.matMul(pick, tf.reshape(perToken, [-1, count])));
        }
        return shares;
      });
    });
    const shares = LAYER_NAMES.map((_, n) => tf.mean(tf.stack(perBlock.map((layers) => layers[n])), 0));
    return {
      attention: tf.mean(tf.stack(attention), 0), // [batch, seqLen, keyLen]
      shares: tf.stack(shares, 2), // [batch, seqLen, layers, groups]
      drawn: tf.div(tf.concat(drawn, 1), blocks.length * LAYER_NAMES.length), // [words, parameter tokens of all ranges]
    };
  });
  const [attention, shares, drawn] = await Promise.all([
    read.attention.data(),
    read.shares.data(),
    read.drawn.data() as Promise<Float32Array>,
  ]);
  const keyLen = read.attention.shape[2] as number;
  const numTokens = read.drawn.shape[1] as number;
  tf.dispose([read.attention, read.shares, read.drawn]);

  const patches = numPatches(model.config.vision.backbone);
  const imageTokens = keyLen - seqLen;
  let row = 0;
  return words.map((ofCaption, b) => ({
    position: positions[b],
    words: ofCaption.map(({ word, tokens }) => {
      const ofTokens = drawn.subarray(row * numTokens, ++row * numTokens);
      tally?.add(word, ranges, ofTokens);
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
        tokens: topTokens(ranges, ofTokens, TOP_TOKENS),
      };
    }),
  }));
}

/** Four decimals: traces are looked at, and kept by the thousand. */
function rounded(value: number): number {
  return Number(value.toFixed(4));
}

/** A matrix that takes the mean of each list of rows. [lists, numRows] */
function meansOf(lists: readonly (readonly number[])[], numRows: number): tf.Tensor2D {
  const values = new Float32Array(lists.length * numRows);
  for (const [i, rows] of lists.entries()) for (const row of rows) values[i * numRows + row] = 1 / rows.length;
  return tf.tensor2d(values, [lists.length, numRows]);
}

/** Shares of the sum over groups. [batch, seqLen, groups] */
function groupShares(written: WrittenByGroup): tf.Tensor3D {
  const norms = GROUP_NAMES.map((group) => written[group]?.norm);
  const present = norms.find((norm) => norm !== undefined) as tf.Tensor2D;
  const stacked = tf.stack(
    norms.map((norm) => norm ?? tf.zerosLike(present)),
    2,
  );
  return tf.divNoNan(stacked, tf.sum(stacked, 2, true)) as tf.Tensor3D;
}
