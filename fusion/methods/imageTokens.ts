import { tf } from '#src/engine';
import { layerNormalize } from '#src/kernels';
import { type ActiveGroup, pattentionLayer } from '#src/tokenformer';
import { POSITION_EMBEDDING } from '#vision';
import type { JointModel } from '../jointModel.js';

/** One group's output on the image; groups under one norm are one reading. */
export interface GroupReading {
  readonly group: string;
  /** What the group reads: states, [batch · numImageTokens, visionWidth], or one position a row, [numImageTokens, visionWidth]. */
  readonly input: tf.Tensor2D;
  /** Whether it reads positions, the same for every image. */
  readonly ofPositions: boolean;
  readonly active: readonly ActiveGroup[];
  /** [batch, numImageTokens, dModel] */
  readonly output: tf.Tensor3D;
}

/** The terms of one text layer's image keys and values. */
export interface LayerReading {
  readonly keys: readonly GroupReading[];
  readonly values: readonly GroupReading[];
}

/** The image tokens of a batch, to be read by groups. */
export interface ImageTokens {
  /** P(h; groups), h the image states that text layer l reads. */
  readStates(l: number, groups: readonly ActiveGroup[], name?: string): GroupReading;
  /** P(e; groups), e = LN(vision position embedding), the same for every image. */
  readPositions(groups: readonly ActiveGroup[], name?: string): GroupReading;
  /** Σ of readings, zeros for none. [batch, numImageTokens, dModel] */
  sum(readings: readonly GroupReading[]): tf.Tensor3D;
}

/**
 * @param states what `imageStates` gave, [batch, 1 or numLayers, numImageTokens, visionWidth]
 * @param statesNeedGradient false when the states are constants: saves a product in the backward pass
 */
export function imageTokens(model: JointModel, states: tf.Tensor4D, statesNeedGradient: boolean): ImageTokens {
  const { stack } = model.config.language.backbone;
  const [batch, depth, tokens, visionWidth] = states.shape;
  // Not unstack for a single layer: the gradient TensorFlow.js has for it fails on a list of one.
  const layers = depth === 1 ? [states] : tf.unstack(states, 1);
  const perLayer = layers.map((state) => tf.reshape(state, [batch * tokens, visionWidth]) as tf.Tensor2D);
  let positions: tf.Tensor2D | undefined;
  const offered = (reading: GroupReading): GroupReading => {
    model.onReading?.(reading);
    return reading;
  };
  return {
    readStates: (l, groups, name = groups[0].group.name) => {
      // With stacks of different depth, the vision layers are spread evenly over the text layers.
      const index = depth === 1 ? 0 : Math.round((l * (depth - 1)) / Math.max(1, stack.numLayers - 1));
      const input = perLayer[index];
      const y = pattentionLayer(input, groups, stack, statesNeedGradient); // [batch · tokens, dModel]
      const output: tf.Tensor3D = tf.reshape(y, [batch, tokens, stack.dModel]);
      return offered({ group: name, input, ofPositions: false, active: groups, output });
    },
    readPositions: (groups, name = groups[0].group.name) => {
      positions ??= layerNormalize(model.tree.variable(POSITION_EMBEDDING) as tf.Tensor as tf.Tensor2D); // [tokens, visionWidth]
      const y = pattentionLayer(positions, groups, stack, statesNeedGradient); // [tokens, dModel]
      const output: tf.Tensor3D = tf.add(tf.fill([batch, tokens, stack.dModel], 0), y);
      return offered({ group: name, input: positions, ofPositions: true, active: groups, output });
    },
    sum: (readings) =>
      readings.length === 0
        ? tf.fill([batch, tokens, stack.dModel], 0)
        : readings.map(({ output }) => output).reduce((a, b) => tf.add(a, b)),
  };
}
