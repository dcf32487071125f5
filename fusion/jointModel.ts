import { join } from 'node:path';
import {
  LANGUAGE_GROUP,
  languageBlocks,
  languageHidden,
  languageLogits,
  loadCheckpointTokenizer,
  type Tokenizer,
} from '#language';
import { parseConfig } from '#src/config';
import { tf } from '#src/engine';
import { UserError } from '#src/errors';
import { layerNormalize } from '#src/kernels';
import {
  type ActiveGroup,
  type AttentionContext,
  type BlockLayers,
  type KeyValueCache,
  LAYER_NAMES,
  type LayerName,
  layerPath,
  ParameterTree,
  type PattentionLayer,
  pattentionLayer,
  readGroup,
} from '#src/tokenformer';
import { findCheckpoint, readCheckpoint, readModelDescription } from '#src/training';
import { numImageTokens, POSITION_EMBEDDING, VISION_GROUP, visionBlocks, visionForward } from '#vision';
import { BRIDGE_PLACES, imageGate, JointModelConfig, stacksMatch, textGate } from './jointConfig.js';
import type { BridgePart } from './recipe.js';

/** A merged model: both backbones' groups in joint layers, and the routes by which each stream uses them. */
export interface JointModel {
  readonly tree: ParameterTree;
  readonly config: JointModelConfig;
  readonly tokenizer: Tokenizer;
  dispose(): void;
}

/** Loads a merged model from a run directory or a checkpoint folder. */
export function loadJointModel(path: string): JointModel {
  const directory = findCheckpoint(path);
  const { kind } = readModelDescription(directory);
  if (kind !== 'fusion')
    throw new UserError(`${directory}: expected a merged model, got a ${kind} model; merge it first`);
  const { model, tensors } = readCheckpoint(directory);
  const config = parseConfig(model.config, JointModelConfig, join(directory, 'model.json'));
  const tokenizer = loadCheckpointTokenizer(directory, config.language);
  const tree = new ParameterTree(tensors);
  return {
    tree,
    config,
    tokenizer,
    dispose: () => {
      tree.dispose();
      tokenizer.dispose();
    },
  };
}

/** Which of the fusion's own parameters take part; without them the model is the merge with zero trained parameters. */
export interface FusionOptions {
  readonly bridge: boolean;
}

function group(model: JointModel, blockIndex: number, layer: LayerName, name: string): ActiveGroup {
  return { group: readGroup(model.tree, layerPath(blockIndex, layer), name) };
}

function bridgeGroups(
  model: JointModel,
  blockIndex: number,
  part: BridgePart,
  { bridge }: FusionOptions,
): ActiveGroup[] {
  const { layer, group: name } = BRIDGE_PLACES[part];
  const present = model.tree.has(`${layerPath(blockIndex, layer)}/${name}/tau`);
  return bridge && present ? [group(model, blockIndex, layer, name)] : [];
}

const TEXT_BRIDGES: Partial<Record<LayerName, BridgePart>> = { query: 'textQuery', key: 'textKey', value: 'textValue' };

/** Both backbones' groups of a layer under one norm. */
function unionLayer(model: JointModel, blockIndex: number, layer: LayerName): ActiveGroup[] {
  return [VISION_GROUP, LANGUAGE_GROUP].map((name) => ({
    ...group(model, blockIndex, layer, name),
    norm: 'union' as const,
  }));
}

/** The image stream's blocks: the vision backbone's own, except under `union`. */
function imageBlocks(model: JointModel): BlockLayers[] {
  const { vision, fusion } = model.config;
  if (fusion.method !== 'union') return visionBlocks(model.tree, vision.vision);
  return Array.from({ length: vision.vision.stack.numLayers }, (_, l) =>
    blockOf((layer) => unionLayer(model, l, layer)),
  );
}

/**
 * The text stream's blocks. Without an image (`withImage` false) they are the language backbone's own, except under
 * `union`; with one, text bridges and the gated vision groups join in.
 */
function textBlocks(model: JointModel, withImage: boolean, options: FusionOptions): BlockLayers[] {
  const { language, fusion } = model.config;
  if (!withImage && fusion.method !== 'union') return languageBlocks(model.tree, language.language);
  return Array.from({ length: language.language.stack.numLayers }, (_, l) =>
    blockOf((layer) => {
      const part = TEXT_BRIDGES[layer];
      const bridges = withImage && part ? bridgeGroups(model, l, part, options) : [];
      if (fusion.method === 'union') return [...unionLayer(model, l, layer), ...bridges];
      const own = group(model, l, layer, LANGUAGE_GROUP);
      const foreign =
        fusion.method === 'grouped' && options.bridge
          ? [
              {
                ...group(model, l, layer, VISION_GROUP),
                gate: model.tree.variable(textGate(l, layer)) as tf.Tensor as tf.Scalar,
              },
            ]
          : [];
      return [own, ...foreign, ...bridges];
    }),
  );
}

function blockOf(layerOf: (layer: LayerName) => PattentionLayer): BlockLayers {
  return Object.fromEntries(LAYER_NAMES.map((layer) => [layer, layerOf(layer)])) as unknown as BlockLayers;
}

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
  const { numLayers } = vision.vision.stack;
  visionForward(model.tree, vision.vision, pixelValues, {
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
  const { stack } = vision.vision;
  return [fusion.imageStates === 'last' ? 1 : stack.numLayers, numImageTokens(vision.vision), stack.dModel];
}

/**
 * The image as each text layer reads it:
 *
 *   keys   = P(h; V_k) + P(h; X_k)       h = the image state, 'what'
 *   values = P(h; V_v) + P(e; X_v)       e = LN(vision position embedding), 'where' (h without `positionValues`)
 *
 * with V the vision groups (absent when the stacks' shapes differ), X the image bridge, and under `grouped` also the
 * language groups behind gates. Under `union` both backbones' groups share a norm in the place of V.
 *
 * @param states [batch, 1 or numLayers, numImageTokens, visionWidth]
 * @param statesNeedGradient true only when the vision backbone itself is being trained
 * @returns one context per text layer
 */
export function readImages(
  model: JointModel,
  states: tf.Tensor4D,
  options: FusionOptions,
  statesNeedGradient = false,
): AttentionContext[] {
  const { config } = model;
  const { stack } = config.language.language;
  const [batch, depth, tokens, visionWidth] = states.shape;
  // Not unstack for a single layer: the gradient TensorFlow.js has for it fails on a list of one.
  const layers = depth === 1 ? [states] : tf.unstack(states, 1);
  const perLayer = layers.map((state) => tf.reshape(state, [batch * tokens, visionWidth]) as tf.Tensor2D);
  const positions = layerNormalize(model.tree.variable(POSITION_EMBEDDING) as tf.Tensor as tf.Tensor2D); // [tokens, visionWidth]
  return Array.from({ length: stack.numLayers }, (_, l) => {
    // With stacks of different depth, aligned reading spreads the vision layers evenly over the text layers.
    const index = depth === 1 ? 0 : Math.round((l * (depth - 1)) / Math.max(1, stack.numLayers - 1));
    const h = perLayer[index];
    const read = (layer: 'key' | 'value', part: BridgePart): tf.Tensor3D => {
      const sum: tf.Tensor3D[] = [];
      const base = readingGroups(model, l, layer, options);
      const bridges = bridgeGroups(model, l, part, options);
      const readsPosition = part === 'imageValue' && config.fusion.positionValues;
      const fromState = readsPosition ? base : [...base, ...bridges];
      if (fromState.length > 0) {
        const y = pattentionLayer(h, fromState, stack, statesNeedGradient); // [batch · tokens, dModel]
        sum.push(tf.reshape(y, [batch, tokens, stack.dModel]));
      }
      if (readsPosition && bridges.length > 0) {
        const y = pattentionLayer(positions, bridges, stack, statesNeedGradient); // [tokens, dModel]
        const everywhere = tf.add(tf.zeros([batch, tokens, stack.dModel]), y) as tf.Tensor3D;
        sum.push(everywhere);
      }
      if (sum.length === 0) return tf.zeros([batch, tokens, stack.dModel]);
      return sum.reduce((a, b) => tf.add(a, b));
    };
    return {
      keys: read('key', 'imageKey'),
      values: read('value', 'imageValue'),
      outputGroups: bridgeGroups(model, l, 'imageOutput', options),
    };
  });
}

/** The backbones' groups through which text reads image tokens. */
function readingGroups(model: JointModel, l: number, layer: 'key' | 'value', options: FusionOptions): ActiveGroup[] {
  const { fusion } = model.config;
  if (fusion.method === 'union') return unionLayer(model, l, layer);
  if (!stacksMatch(model.config)) return [];
  const own = group(model, l, layer, VISION_GROUP);
  if (fusion.method !== 'grouped' || !options.bridge) return [own];
  const gate = model.tree.variable(imageGate(l, layer)) as tf.Tensor as tf.Scalar;
  return [own, { ...group(model, l, layer, LANGUAGE_GROUP), gate }];
}

export interface CaptionForward extends FusionOptions {
  /** What `readImages` gave; absent: text alone. */
  readonly contexts?: readonly AttentionContext[];
  /** Text alone, but with the text bridges on: what `replay` trains. */
  readonly bridgeWithoutImage?: boolean;
  readonly caches?: readonly KeyValueCache[];
}

/**
 * Logits of text, with or without images. Text attends to its image's tokens and to earlier text in one joint softmax:
 *
 *            image     text
 *     t1   [ 1 1 1 ] [ 1 0 0 ]
 *     t2   [ 1 1 1 ] [ 1 1 0 ]
 *     t3   [ 1 1 1 ] [ 1 1 1 ]
 *
 * Text alone takes the language backbone's own path: its logits to the bit (not under `union`).
 *
 * @param tokenIds [batch, seqLen], int32
 * @returns logits [batch · seqLen, vocabSize]
 */
export function captionLogits(
  model: JointModel,
  tokenIds: tf.Tensor2D,
  { contexts, bridgeWithoutImage, caches, bridge }: CaptionForward,
): { logits: tf.Tensor2D; caches: readonly KeyValueCache[] } {
  const blocks = textBlocks(model, contexts !== undefined || bridgeWithoutImage === true, { bridge });
  const result = languageHidden(model.tree, model.config.language.language, tokenIds, {
    blocks,
    ...(contexts ? { contexts } : {}),
    ...(caches ? { caches } : {}),
  });
  return { logits: languageLogits(model.tree, result.hidden), caches: result.caches };
}
