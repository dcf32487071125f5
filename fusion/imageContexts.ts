import { tf } from '#src/engine';
import { layerNormalize } from '#src/kernels';
import { tokenFormerStack } from '#src/stacks';
import type { AttentionContext } from '#src/tokenformer';
import { numImageTokens, visionForward } from '#vision';
import type { JointModelConfig } from './jointConfig.js';
import type { FusionOptions, JointModel } from './jointModel.js';
import { imageBlocks } from './streamBlocks.js';

/**
 * The vision states that text reads, normalised: LN of the final states, or of those entering each vision layer.
 * A function of the image and the vision backbone alone (with LoRA on it of that too, under `union` of both backbones): compute
 * once, keep.
 *
 * @param pixelValues [batch, imageSize, imageSize, 3]
 * @param options whether LoRA on the vision backbone takes part; it does unless given
 * @returns [batch, 1 or numLayers, numImageTokens, visionWidth]
 */
export function imageStates(
  model: JointModel,
  pixelValues: tf.Tensor4D,
  options: FusionOptions = { bridge: true },
): tf.Tensor4D {
  const { vision, fusion } = model.config;
  const wanted: tf.Tensor[] = [];
  const { stack } = vision.backbone;
  const { numLayers } = stack;
  visionForward(model.tree, vision.backbone, pixelValues, {
    stack: tokenFormerStack(imageBlocks(model, options), stack),
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

/**
 * What each text layer reads of images, as the model's method reads them (`FusionMethod.imageContexts`).
 *
 * @param states what `imageStates` gave, [batch, 1 or numLayers, numImageTokens, visionWidth]
 * @param statesNeedGradient true only when the vision backbone itself is being trained
 * @returns one context per text layer; none when nothing but what was trained reads the image, and that is off
 */
export function imageContexts(
  model: JointModel,
  states: tf.Tensor4D,
  options: FusionOptions,
  statesNeedGradient = false,
): AttentionContext[] {
  return model.method.imageContexts(model, states, options, statesNeedGradient);
}

/** Runs `read` in a tidy and keeps only keys and values: the output groups are the model's own variables. */
export function keepContexts(read: () => AttentionContext[]): AttentionContext[] {
  let contexts: AttentionContext[] = [];
  tf.tidy(() => {
    contexts = read();
    for (const { keys, values } of contexts) for (const tensor of [keys, values]) tf.keep(tensor);
  });
  return contexts;
}

/** Frees what `keepContexts` kept. */
export function disposeContexts(contexts: readonly AttentionContext[] | undefined): void {
  for (const { keys, values } of contexts ?? []) tf.dispose([keys, values]);
}
