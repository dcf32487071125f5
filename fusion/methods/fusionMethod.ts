import type { tf } from '#src/engine';
import type { AttentionContext, BlockLayers } from '#src/tokenformer';
import type { JointModelConfig } from '../jointConfig.js';
import type { FusionOptions, JointModel } from '../jointModel.js';
import type { FusionConfig } from '../recipe.js';
import type { LayerReading } from './imageTokens.js';

/** A group of parameter tokens that a method adds to the two backbones. */
export interface AddedGroup {
  /** The block that plan and report show it in. */
  readonly block: number;
  /** The layer that plan and report show it in: query, key, value, output, ffn, or a name of the method's own. */
  readonly layer: string;
  /** Path of the layer; the group's parameters are `<path>/<group>/keyParamTokens`, `valueParamTokens` and `tau`. */
  readonly path: string;
  readonly group: string;
  /** 0: the group is left out. */
  readonly numParamTokens: number;
  readonly dIn: number;
  readonly dOut: number;
  /** The tokens that use it. */
  readonly stream: 'image' | 'text';
  /** Values at the start: `silent`: 0; `random`: N(0, 1/numParamTokens). Keys are N(0, 1/dIn), τ = √numParamTokens. */
  readonly start: 'silent' | 'random';
  /**
   * For a group that turns image states into what text reads: what a caption has in that place, which `initBridges` can fit. `key`
   * and `value` are those of text layer `block`.
   */
  readonly imitates?: 'key' | 'value' | 'embedding';
}

/** Keys of a recipe that only some methods use. */
export type FusionOption = 'imageStates' | 'positionValues' | 'recalibrate' | 'imageGate';

/** Something wrong with a key of the recipe's `fusion`. */
export interface RecipeProblem {
  readonly path: readonly string[];
  readonly message: string;
}

/**
 * A way to make one model out of two backbones. Plan, merge, alignment, captions, traces and reports ask this object.
 *
 * Text reads an image through one `AttentionContext` per text layer. Text alone takes the language backbone's own path and
 * images that of the vision backbone, unless the method `changesBackbones`.
 */
export interface FusionMethod {
  /** As a recipe's `fusion.method` names it. */
  readonly name: string;
  /** Which tokens use which parameter tokens, in one sentence; shown in reports. */
  readonly description: string;
  /** Where it comes from: `arXiv 2204.14198`. */
  readonly paper?: string;
  /** The places for bridge groups that `bridge.parts` chooses from. */
  readonly parts: readonly string[];
  /** The optional keys of a recipe that it uses; any other is refused. */
  readonly options: readonly FusionOption[];
  /**
   * Which tokens use the backbones' groups: `separate`: each stream its own backbone's; `both`: every token both, each group
   * with a norm of its own; `union`: every token both, under one norm.
   */
  readonly backboneGroups: 'separate' | 'both' | 'union';
  /** True when text alone or image states differ from those of the backbones. */
  readonly changesBackbones: boolean;
  /** True when text bridges can also be used without an image (`bridgeWithoutImage`), so that replay can train them on text. */
  readonly replay: boolean;
  /**
   * True when the contexts are keys and values of tokens in front of the text, a prefix; otherwise every layer attends to
   * its context beside the text.
   */
  readonly contextsPrecedeText: boolean;

  /** What a recipe must not say, besides what `parts` and `options` exclude. */
  recipeProblems?(fusion: FusionConfig): readonly RecipeProblem[];
  /** Why two backbones cannot be joined this way: one line per problem, with its remedy. */
  backboneProblems?(config: JointModelConfig): readonly string[];
  /** The groups it adds, in the order of the checkpoint. */
  groups(config: JointModelConfig): readonly AddedGroup[];
  /** Names of the scalar gates it adds; each starts at 0 and scales an output by tanh(gate). */
  gates?(config: JointModelConfig): readonly string[];
  /** Names of the gates that it adds with one number per head of the text layers; each starts at 0. */
  headGates?(config: JointModelConfig): readonly string[];

  /** The image stream's blocks, for a method that `changesBackbones`; the vision backbone's own unless given. */
  imageBlocks?(model: JointModel): BlockLayers[];
  /**
   * The text stream's blocks beside an image; the language backbone's own unless given.
   *
   * @param withImage false for text alone, which only a method that `changesBackbones` is asked for
   */
  textBlocks?(model: JointModel, options: FusionOptions, withImage: boolean): BlockLayers[];
  /**
   * What each text layer reads of images. Only `keys` and `values` may be tensors computed here: callers keep and free them.
   *
   * @param states what `imageStates` gave, [batch, 1 or numLayers, numImageTokens, visionWidth]
   * @param statesNeedGradient true only when the vision backbone itself is being trained
   * @returns one per text layer; none when nothing but what was trained reads the image, and that is off
   */
  imageContexts(
    model: JointModel,
    states: tf.Tensor4D,
    options: FusionOptions,
    statesNeedGradient: boolean,
  ): AttentionContext[];
  /**
   * The terms of the contexts' keys and values, group by group, for tracing which groups a caption drew on. Its groups are
   * then named `vision`, `language`, `textBridge` or `imageBridge`. Absent: captions are not traced.
   */
  imageReadings?(model: JointModel, states: tf.Tensor4D, options: FusionOptions): LayerReading[];
}
