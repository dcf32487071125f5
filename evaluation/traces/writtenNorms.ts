import type { GroupReading, LayerReading } from '#fusion';
import { tf } from '#src/engine';
import {
  type ActiveGroup,
  type AttentionContext,
  type BlockLayers,
  type LayerName,
  type PattentionMath,
  tokenWeights,
} from '#src/tokenformer';

/** What a group of a layer writes at every position, and what each of its parameter tokens writes alone. */
export interface Written {
  /** ‖y_g‖, [batch, seqLen] */
  readonly norm: tf.Tensor2D;
  /** |s_i| ‖V_i‖, [batch, seqLen, numParamTokens] */
  readonly tokens: tf.Tensor3D;
}

/** By group; one that takes no part is absent. */
export type WrittenByGroup = Readonly<Partial<Record<string, Written>>>;

/** What a block reads, and how. */
export interface BlockReading {
  readonly layers: BlockLayers;
  readonly context: Pick<AttentionContext, 'outputGroups'>;
  readonly image: LayerReading;
  /** Mean over heads, [batch, seqLen, imageTokens + seqLen]. */
  readonly attention: tf.Tensor3D;
  /** Θ(x Kᵀ) of a group on text tokens, [batch · seqLen, numParamTokens]. */
  readonly weightsOf: (layer: LayerName, group: string) => tf.Tensor2D;
}

/** The output norms of every layer of a block, as the definition of `captionTraces` counts them. */
export function writtenNorms(
  { layers, context, image, attention, weightsOf }: BlockReading,
  math: PattentionMath,
): Record<LayerName, WrittenByGroup> {
  const [batch, seqLen, keyLen] = attention.shape;
  const imageTokens = keyLen - seqLen;
  const onImage = tf.slice(attention, [0, 0, 0], [-1, -1, imageTokens]);
  const onText = tf.slice(attention, [0, 0, imageTokens], [-1, -1, seqLen]);
  const ofText = (layer: LayerName, active: ActiveGroup): Written => {
    const weights = weightsOf(layer, active.group.name);
    const y = gated(tf.matMul(weights, active.group.valueParamTokens), active); // [batch · seqLen, dModel]
    return {
      norm: tf.reshape(tf.norm(y, 2, 1), [batch, seqLen]),
      tokens: tf.reshape(tokenNorms(weights, active), [batch, seqLen, -1]),
    };
  };
  const ofImage = ({ input }: GroupReading, active: ActiveGroup): Written => {
    const weights = tokenWeights(input, active, math); // [batch · imageTokens or imageTokens, n]
    const y = gated(tf.matMul(weights, active.group.valueParamTokens), active); // [batch · imageTokens or imageTokens, dModel]
    // The embedding of a position is the same for every image.
    const perImage = <T extends tf.Tensor>(t: tf.Tensor, shape: number[]): T => {
      const shaped = tf.reshape(t, [-1, imageTokens, ...shape]);
      return (shaped.shape[0] === batch ? shaped : tf.tile(shaped, [batch, 1, ...shape.map(() => 1)])) as T;
    };
    return {
      norm: perImage(tf.norm(y, 2, 1), []),
      tokens: perImage(tokenNorms(weights, active), [weights.shape[1]]),
    };
  };
  const attended = (on: tf.Tensor3D, { norm, tokens }: Written): Written => ({
    norm: tf.reshape(tf.matMul(on, tf.reshape(norm, [batch, -1, 1])), [batch, seqLen]),
    tokens: tf.matMul(on, tokens) as tf.Tensor3D,
  });
  const ownNorms = (layer: LayerName, groups: readonly ActiveGroup[]): WrittenByGroup =>
    Object.fromEntries(groups.map((active) => [active.group.name, ofText(layer, active)]));
  const readNorms = (layer: 'key' | 'value', ofGroups: readonly GroupReading[]): WrittenByGroup => {
    const sums: Partial<Record<string, Written>> = {};
    const add = (group: string, { norm, tokens }: Written): void => {
      const before = sums[group];
      sums[group] = before
        ? { norm: tf.add(before.norm, norm), tokens: tf.add(before.tokens, tokens) }
        : { norm, tokens };
    };
    for (const active of layers[layer]) add(active.group.name, attended(onText, ofText(layer, active)));
    for (const reading of ofGroups) {
      for (const active of reading.active) add(active.group.name, attended(onImage, ofImage(reading, active)));
    }
    return sums;
  };
  return {
    query: withAppended(ownNorms('query', layers.query)),
    key: withAppended(readNorms('key', image.keys)),
    value: withAppended(readNorms('value', image.values)),
    output: withAppended(ownNorms('output', [...layers.output, ...context.outputGroups])),
    ffn: withAppended(ownNorms('ffn', layers.ffn)),
  };
}

/** Counts the groups appended to a backbone with its own one: their norms add, their parameter tokens follow its own. */
function withAppended(written: WrittenByGroup): WrittenByGroup {
  const together: Record<string, Written> = {};
  for (const [name, group] of Object.entries(written)) {
    if (group === undefined) continue;
    const backbone = name.split('.')[0];
    const before = together[backbone];
    together[backbone] = before
      ? { norm: tf.add(before.norm, group.norm), tokens: tf.concat([before.tokens, group.tokens], 2) }
      : group;
  }
  return together;
}

/** ‖s_i V_i‖ of every parameter token, the shape of `weights`. */
function tokenNorms(weights: tf.Tensor2D, active: ActiveGroup): tf.Tensor2D {
  const lengths = gated(tf.norm(active.group.valueParamTokens, 2, 1), active); // [numParamTokens]
  return tf.abs(tf.mul(weights, lengths)) as tf.Tensor2D;
}

function gated<T extends tf.Tensor>(y: T, { gate }: ActiveGroup): T {
  return gate === undefined ? y : tf.mul(y, tf.tanh(gate));
}
