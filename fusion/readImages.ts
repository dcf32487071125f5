import { LANGUAGE_GROUP, languageBlocks } from '#language';
import { tf } from '#src/engine';
import { layerNormalize } from '#src/kernels';
import { type ActiveGroup, type AttentionContext, pattentionLayer, runStack } from '#src/tokenformer';
import { numImageTokens, POSITION_EMBEDDING, VISION_GROUP, visionForward } from '#vision';
import { crossGate, imageGate, type JointModelConfig, stacksMatch } from './jointConfig.js';
import { bridgeGroups, group, imageBlocks, unionLayer } from './jointLayers.js';
import type { FusionOptions, JointModel } from './jointModel.js';
import { type BridgePart, isJoint } from './recipe.js';

/**
 * What text will read of images, normalised: LN of the final vision states, or of the states entering each vision layer.
 * A function of the image and the vision backbone alone (under `union`, of both backbones): compute once, keep.
 *
 * @param pixelValues [batch, imageSize, imageSize, 3]
 * @returns [batch, 1 or numLayers, numImageTokens, visionWidth]
 */
export function imageStates(model: JointModel, pixelValues: tf.Tensor4D): tf.Tensor4D {
  const { vision, fusion } = model.config;
  const wanted: tf.Tensor[] = [];
  const { numLayers } = vision.backbone.stack;
  visionForward(model.tree, vision.backbone, pixelValues, {
    blocks: imageBlocks(model),
    capture: (name, compute) => {
      const layer = /^hidden\.(\d+)$/.exec(name)?.[1];
      if (layer === undefined) return;
      if (fusion.imageStates === 'last' ? Number(layer) === numLayers : Number(layer) < numLayers)
        wanted.push(compute());
    },
  });
  const normalised = wanted.map((state) => {
    const [batch, tokens, width] = state.shape as [number, number, number];
    return tf.reshape(layerNormalize(tf.reshape(state, [-1, width])), [batch, tokens, width]);
  });
  return tf.stack(normalised, 1) as tf.Tensor4D;
}

/** Vision states of one image as `imageStates` gives them: [1 or numLayers, numImageTokens, visionWidth]. */
export function imageStateShape({ vision, fusion }: JointModelConfig): [number, number, number] {
  const { stack } = vision.backbone;
  return [fusion.imageStates === 'last' ? 1 : stack.numLayers, numImageTokens(vision.backbone), stack.dModel];
}

/** What one group of a layer makes of the image; under `union` both backbones' groups together, named `union`. */
export interface GroupReading {
  readonly group: string;
  /** What the group reads: states, [batch · numImageTokens, visionWidth], or one position a row, [numImageTokens, visionWidth]. */
  readonly input: tf.Tensor2D;
  readonly active: readonly ActiveGroup[];
  /** [batch, numImageTokens, dModel] */
  readonly output: tf.Tensor3D;
}

/**
 * The image as each text layer reads it:
 *
 *   keys   = P(h; V_k) + P(h; X_k)       h = the image state, 'what'
 *   values = P(h; V_v) + P(e; X_v)       e = LN(vision position embedding), 'where' (h without `positionValues`)
 *
 * with V the vision groups (absent when the stacks' shapes differ), X the image bridge, and under `grouped` also the
 * language groups behind gates. Under `union` both backbones' groups share a norm in the place of V. A `crossAttention`
 * reads h through its own groups alone, a `prefix` through the language backbone (`readPrefix`).
 *
 * @param states [batch, 1 or numLayers, numImageTokens, visionWidth]
 * @param statesNeedGradient true only when the vision backbone itself is being trained
 * @returns one context per text layer; none where nothing but what was trained reads the image, and that is off
 */
export function readImages(
  model: JointModel,
  states: tf.Tensor4D,
  options: FusionOptions,
  statesNeedGradient = false,
): AttentionContext[] {
  const { method } = model.config.fusion;
  if (!isJoint(method) && !options.bridge) return [];
  if (method === 'prefix') return readPrefix(model, states, statesNeedGradient);
  const [batch, , tokens] = states.shape;
  const { dModel } = model.config.language.backbone.stack;
  const sum = (readings: readonly GroupReading[]): tf.Tensor3D =>
    readings.length === 0
      ? tf.zeros([batch, tokens, dModel])
      : readings.map(({ output }) => output).reduce((a, b) => tf.add(a, b));
  return imageReadings(model, states, options, statesNeedGradient).map(({ keys, values }, l) => ({
    keys: sum(keys),
    values: sum(values),
    ...(method === 'crossAttention'
      ? {
          outputGroups: bridgeGroups(model, l, 'crossOutput', options),
          separate: {
            query: bridgeGroups(model, l, 'crossQuery', options),
            gate: model.tree.variable(crossGate(l)) as tf.Tensor as tf.Scalar,
          },
        }
      : { outputGroups: bridgeGroups(model, l, 'imageOutput', options) }),
  }));
}

/**
 * Image tokens as text embeddings in front of the text: P(h; prefix), through the language backbone as any text. What
 * text reads of them are their keys and values, those of earlier tokens.
 */
function readPrefix(model: JointModel, states: tf.Tensor4D, statesNeedGradient: boolean): AttentionContext[] {
  const language = model.config.language.backbone;
  const [batch, , tokens, visionWidth] = states.shape;
  const h = tf.reshape(states, [-1, visionWidth]) as tf.Tensor2D; // [batch · tokens, visionWidth]
  const y = pattentionLayer(h, bridgeGroups(model, 0, 'prefix', { bridge: true }), language.stack, statesNeedGradient);
  const embeddings = tf.reshape(y, [batch, tokens, language.stack.dModel]) as tf.Tensor3D;
  const blocks = languageBlocks(model.tree, language);
  return runStack(embeddings, blocks, language.stack, { mask: { kind: 'causal' }, keepCaches: true }).caches.map(
    (cache) => ({
      ...cache,
      outputGroups: [],
    }),
  );
}

/** The terms of `readImages`, group by group: one entry per text layer. */
export function imageReadings(
  model: JointModel,
  states: tf.Tensor4D,
  options: FusionOptions,
  statesNeedGradient = false,
): { keys: GroupReading[]; values: GroupReading[] }[] {
  const { config } = model;
  const { stack } = config.language.backbone;
  const [batch, depth, tokens, visionWidth] = states.shape;
  // Not unstack for a single layer: the gradient TensorFlow.js has for it fails on a list of one.
  const layers = depth === 1 ? [states] : tf.unstack(states, 1);
  const perLayer = layers.map((state) => tf.reshape(state, [batch * tokens, visionWidth]) as tf.Tensor2D);
  const positions = layerNormalize(model.tree.variable(POSITION_EMBEDDING) as tf.Tensor as tf.Tensor2D); // [tokens, visionWidth]
  return Array.from({ length: stack.numLayers }, (_, l) => {
    // With stacks of different depth, aligned reading spreads the vision layers evenly over the text layers.
    const index = depth === 1 ? 0 : Math.round((l * (depth - 1)) / Math.max(1, stack.numLayers - 1));
    const h = perLayer[index];
    const ofState = (name: string, groups: readonly ActiveGroup[]): GroupReading => {
      const y = pattentionLayer(h, groups, stack, statesNeedGradient); // [batch · tokens, dModel]
      return { group: name, input: h, active: groups, output: tf.reshape(y, [batch, tokens, stack.dModel]) };
    };
    const ofPositions = (name: string, groups: readonly ActiveGroup[]): GroupReading => {
      const y = pattentionLayer(positions, groups, stack, statesNeedGradient); // [tokens, dModel]
      const output: tf.Tensor3D = tf.add(tf.zeros([batch, tokens, stack.dModel]), y);
      return { group: name, input: positions, active: groups, output };
    };
    const read = (layer: 'key' | 'value', part: BridgePart): GroupReading[] => {
      const base = readingGroups(model, l, layer, options);
      const readBridge = part === 'imageValue' && config.fusion.positionValues ? ofPositions : ofState;
      return [
        ...(config.fusion.method === 'union'
          ? [ofState('union', base)]
          : base.map((active) => ofState(active.group.name, [active]))),
        ...bridgeGroups(model, l, part, options).map((active) => readBridge(active.group.name, [active])),
      ];
    };
    return config.fusion.method === 'crossAttention'
      ? { keys: read('key', 'crossKey'), values: read('value', 'crossValue') }
      : { keys: read('key', 'imageKey'), values: read('value', 'imageValue') };
  });
}

/** The backbones' groups through which text reads image tokens. */
function readingGroups(model: JointModel, l: number, layer: 'key' | 'value', options: FusionOptions): ActiveGroup[] {
  const { fusion } = model.config;
  if (fusion.method === 'union') return unionLayer(model, l, layer);
  if (fusion.method === 'crossAttention' || !stacksMatch(model.config)) return [];
  const own = group(model, l, layer, VISION_GROUP);
  if (fusion.method !== 'grouped' || !options.bridge) return [own];
  const gate = model.tree.variable(imageGate(l, layer)) as tf.Tensor as tf.Scalar;
  return [own, { ...group(model, l, layer, LANGUAGE_GROUP), gate }];
}
