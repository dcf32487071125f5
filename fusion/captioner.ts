import { decode, greedyToken } from '#language';
import { tf } from '#src/engine';
import type { AttentionContext } from '#src/tokenformer';
import { captionLogits, type FusionOptions, type JointModel, readImages } from './jointModel.js';

export interface CaptionOptions extends FusionOptions {
  readonly maxTokens: number;
}

/**
 * Greedy captions, one per image, decoded together with a key-value cache; a row that has ended waits for the others.
 *
 * @param states what `imageStates` gave, [batch, 1 or numLayers, numImageTokens, visionWidth]; undefined: one blind caption
 */
export async function captionImages(
  model: JointModel,
  states: tf.Tensor4D | undefined,
  { maxTokens, bridge }: CaptionOptions,
): Promise<string[]> {
  const contexts: AttentionContext[] | undefined =
    states === undefined
      ? undefined
      : (tf.tidy(() => {
          const read = readImages(model, states, { bridge });
          // Only keys and values are tensors of this pass; the output groups are the model's own variables.
          for (const { keys, values } of read) {
            tf.keep(keys);
            tf.keep(values);
          }
          return read as unknown as tf.TensorContainer;
        }) as unknown as AttentionContext[]);
  try {
    const end = model.tokenizer.endOfTextId;
    const rows = await decode(
      (tokenIds, caches) =>
        captionLogits(model, tokenIds, { bridge, ...(contexts ? { contexts } : {}), ...(caches ? { caches } : {}) }),
      {
        batch: states?.shape[0] ?? 1,
        prompt: [end],
        maxNewTokens: maxTokens,
        stopId: end,
        choose: (logits) => greedyToken(logits),
      },
    );
    return rows.map((ids) => model.tokenizer.decode(ids).trim());
  } finally {
    for (const { keys, values } of contexts ?? []) tf.dispose([keys, values]);
  }
}
