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
  type Capture,
  type KeyValueCache,
  LAYER_NAMES,
  type LayerName,
  layerPath,
  ParameterTree,
  type PattentionLayer,
  pattentionLayer,
  readGroup,
  runStack,
} from '#src/tokenformer';
import { findCheckpoint, readCheckpoint, readModelDescription } from '#src/training';
import { numImageTokens, POSITION_EMBEDDING, VISION_GROUP, visionBlocks, visionForward } from '#vision';
import {
  BRIDGE_PLACES,
  bridgePath,
  crossGate,
  imageGate,
  JointModelConfig,
  stacksMatch,
  textGate,
} from './jointConfig.js';
import { type BridgePart, isJoint } from './recipe.js';

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
  const { group: name } = BRIDGE_PLACES[part];
  const path = bridgePath(part, blockIndex);
  if (!bridge || !model.tree.has(`${path}/${name}/tau`)) return [];
  const { kind } = model.config.fusion.bridge;
  return [{ group: readGroup(model.tree, path, name), ...(kind === 'linear' ? { norm: 'none' } : {}) }];
}

const TEXT_BRIDGES: Partial<Record<LayerName, BridgePart>> = { query: 'textQuery', key: 'textKey', value: 'textValue' };

/**
 * Both backbones' groups of a layer under one norm; with `recalibrate` each one's keys divided by their root mean square
 * length, so that a direction at random scores as high in both.
 */
function unionLayer(model: JointModel, blockIndex: number, layer: LayerName): ActiveGroup[] {
  return [VISION_GROUP, LANGUAGE_GROUP].map((name) => {
    const { group: own } = group(model, blockIndex, layer, name);
    if (!model.config.fusion.recalibrate) return { group: own, norm: 'union' };
    const { keyParamTokens: keys } = own; // [numParamTokens, dIn]
    const length = tf.sqrt(tf.mean(tf.sum(tf.square(keys), 1)));
    return { group: { ...own, keyParamTokens: tf.div(keys, length) }, norm: 'union' };
  });
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
export function textBlocks(model: JointModel, withImage: boolean, options: FusionOptions): BlockLayers[] {
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
  const { dModel } = model.config.language.language.stack;
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
  const { language } = model.config.language;
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

export interface CaptionForward extends FusionOptions {
  /** What `readImages` gave; absent: text alone. */
  readonly contexts?: readonly AttentionContext[];
  /** Text alone, but with the text bridges on: what `replay` trains. */
  readonly bridgeWithoutImage?: boolean;
  readonly caches?: readonly KeyValueCache[];
  /** A first pass whose caches will be read. */
  readonly keepCaches?: boolean;
  /** Tokens of each row that count, [batch]; as `StackOptions`. */
  readonly lengths?: Int32Array;
  /** Receives the intermediates of the text blocks. */
  readonly capture?: Capture;
}

/**
 * Final hidden states of text, with or without images. Text attends to its image's tokens and to earlier text in one joint softmax:
 *
 *            image     text
 *     t1   [ 1 1 1 ] [ 1 0 0 ]
 *     t2   [ 1 1 1 ] [ 1 1 0 ]
 *     t3   [ 1 1 1 ] [ 1 1 1 ]
 *
 * (`crossAttention` reads the image columns in a softmax of their own.)
 * Text alone takes the language backbone's own path: its states to the bit (not under `union`).
 *
 * @param tokenIds [batch, seqLen], int32
 * @returns hidden [batch · seqLen, dModel]
 */
export function captionHidden(
  model: JointModel,
  tokenIds: tf.Tensor2D,
  { contexts, bridgeWithoutImage, caches, keepCaches, lengths, capture, bridge }: CaptionForward,
): { hidden: tf.Tensor2D; caches: readonly KeyValueCache[] } {
  const blocks = textBlocks(model, contexts !== undefined || bridgeWithoutImage === true, { bridge });
  // A prefix stands in front of the text: to it, those are tokens that went before.
  const isPrefix = model.config.fusion.method === 'prefix' && contexts !== undefined && contexts.length > 0;
  const prefix = (): KeyValueCache[] | undefined =>
    isPrefix ? contexts.map(({ keys, values }) => ({ keys, values, length: keys.shape[1] })) : undefined;
  const earlier = caches ?? prefix();
  return languageHidden(model.tree, model.config.language.language, tokenIds, {
    blocks,
    ...(contexts && !isPrefix ? { contexts } : {}),
    ...(earlier ? { caches: earlier } : {}),
    ...(keepCaches ? { keepCaches } : {}),
    ...(lengths ? { lengths } : {}),
    ...(capture ? { capture } : {}),
  });
}

/** Logits of text, [batch · seqLen, vocabSize], by `captionHidden`. */
export function captionLogits(...args: Parameters<typeof captionHidden>): {
  logits: tf.Tensor2D;
  caches: readonly KeyValueCache[];
} {
  const { hidden, caches } = captionHidden(...args);
  return { logits: languageLogits(args[0].tree, hidden), caches };
}
