import type { CaptionPairs, FusionOptions, JointModel, StateCache } from '#fusion';
import { captionHidden, disposeContexts, imageContexts, keepContexts } from '#fusion';
import { type TextBatch, textBatch, tokenLosses } from '#language';
import { tf } from '#src/engine';
import type { AttentionContext } from '#src/tokenformer';

/** How likely the captions of one image are. */
export interface ImageNlls {
  /** −log p of each caption, in nats. */
  readonly nats: readonly number[];
  /** Predicted tokens of each caption, its end among them. */
  readonly tokens: readonly number[];
}

/**
 * −log p(token_t | image, earlier tokens) of every token of captions, in nats; 0 for padding.
 *
 * @param contexts what `imageContexts` gave, one image per row; undefined: blind
 * @returns [batch, seqLen]
 */
export function captionTokenNlls(
  model: JointModel,
  { tokenIds, labels, batch, seqLen, lengths }: TextBatch,
  contexts: readonly AttentionContext[] | undefined,
  { bridge }: FusionOptions,
): tf.Tensor2D {
  return tf.tidy(() => {
    const ids = tf.tensor2d(tokenIds, [batch, seqLen], 'int32');
    const { hidden } = captionHidden(model, ids, { bridge, lengths, contexts });
    return tf.reshape(tokenLosses(model.tree, hidden, labels), [batch, seqLen]);
  });
}

/** −log p of whole captions, in nats: the sums of `captionTokenNlls`. [batch] */
export function captionNlls(...given: Parameters<typeof captionTokenNlls>): tf.Tensor1D {
  return tf.tidy(() => tf.sum(captionTokenNlls(...given), 1));
}

export interface PairNllOptions extends FusionOptions {
  readonly batchSize: number;
  /** Reads image order[i] for the captions of image i. */
  readonly order?: readonly number[];
  /** Takes the number of images that are done. */
  readonly report?: (done: number) => void;
}

/**
 * −log p of every reference caption given its image. Images are read in chunks, each once for all of its captions, and
 * captions of similar length are batched together.
 *
 * @param cache undefined: without an image
 * @returns one entry per image, in the order of `pairs`
 */
export async function pairNlls(
  model: JointModel,
  cache: StateCache | undefined,
  { imageIds, captions }: Pick<CaptionPairs, 'imageIds' | 'captions'>,
  { batchSize, order, bridge, report }: PairNllOptions,
): Promise<ImageNlls[]> {
  const found = captions.map((texts) => ({ nats: texts.map(() => 0), tokens: texts.map(() => 0) }));
  const end = model.tokenizer.endOfTextId;
  for (let first = 0; first < imageIds.length; first += batchSize) {
    const chunk = Array.from({ length: Math.min(batchSize, imageIds.length - first) }, (_, i) => first + i);
    const rows = chunk
      .flatMap((image) => captions[image].map((caption, c) => ({ image, c, ids: model.tokenizer.encode(caption) })))
      .sort((a, b) => a.ids.length - b.ids.length);
    const read = order ? chunk.map((image) => order[image]) : chunk;
    const contexts = cache && keepContexts(() => imageContexts(model, cache.states(read), { bridge }));
    try {
      for (let start = 0; start < rows.length; start += batchSize) {
        const batch = rows.slice(start, start + batchSize);
        const text = textBatch(
          batch.map(({ ids }) => Int32Array.from([end, ...ids, end])),
          batch[batch.length - 1].ids.length + 1,
          end,
        );
        const nlls = tf.tidy(() => {
          const images = tf.tensor1d(
            batch.map(({ image }) => image - first),
            'int32',
          );
          const ofRows = contexts?.map((context) => ({
            ...context,
            keys: tf.gather(context.keys, images),
            values: tf.gather(context.values, images),
          }));
          return captionNlls(model, text, ofRows, { bridge });
        });
        const values = await nlls.data();
        nlls.dispose();
        for (const [r, { image, c, ids }] of batch.entries()) {
          found[image].nats[c] = values[r];
          found[image].tokens[c] = ids.length + 1;
        }
      }
    } finally {
      disposeContexts(contexts);
    }
    report?.(first + chunk.length);
  }
  return found;
}
