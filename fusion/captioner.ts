import { type Decoding, decode, type Hypothesis, stopIdsOf, textSoFar } from '#language';
import type { tf } from '#src/engine';
import { captionLogits } from './captionPass.js';
import { disposeContexts, imageContexts, keepContexts } from './imageContexts.js';
import type { FusionOptions, JointModel } from './jointModel.js';

export interface CaptionOptions extends FusionOptions {
  readonly decoding: Decoding;
  /** One per image; they name the random streams, so that samples do not depend on the batch. */
  readonly imageIds?: readonly number[];
  /** Hears after every token what each image's first caption is so far. */
  readonly onProgress?: (captions: readonly string[]) => void;
}

/** A caption, and log p(caption | image) in nats (with the stop token where it has one). */
export interface GeneratedCaption extends Pick<Hypothesis, 'logProb' | 'ended'> {
  readonly caption: string;
  readonly numTokens: number;
}

/**
 * Captions of images, decoded together: per image those that `decoding` asks for, the one to show first.
 *
 * @param states what `imageStates` gave, [batch, 1 or numLayers, numImageTokens, visionWidth]; undefined: one blind image
 */
export async function captionCandidates(
  model: JointModel,
  states: tf.Tensor4D | undefined,
  { decoding, bridge, imageIds, onProgress }: CaptionOptions,
): Promise<GeneratedCaption[][]> {
  const stopIds = stopIdsOf(decoding, model.tokenizer);
  const contexts = states && keepContexts(() => imageContexts(model, states, { bridge }));
  try {
    // The prompt is one token, so the logits of a pass are those of each row's last token.
    const results = await decode(
      (tokenIds, memory) => captionLogits(model, tokenIds, { bridge, keepCaches: true, ...memory }),
      {
        rowNames: imageIds ?? Array.from({ length: states?.shape[0] ?? 1 }, (_, image) => image),
        prompt: [model.tokenizer.endOfTextId],
        stopIds,
        contexts,
        onTokens:
          onProgress && ((tokenIds) => onProgress(tokenIds.map((ids) => textSoFar(model.tokenizer, ids).trim()))),
      },
      decoding,
    );
    return results.map((candidates) =>
      candidates.map(({ tokenIds, logProb, ended }) => ({
        caption: model.tokenizer.decode(tokenIds).trim(),
        logProb,
        numTokens: tokenIds.length,
        ended,
      })),
    );
  } finally {
    disposeContexts(contexts);
  }
}

/** The first of the `captionCandidates` of each image. */
export async function captionImages(
  model: JointModel,
  states: tf.Tensor4D | undefined,
  options: CaptionOptions,
): Promise<string[]> {
  return (await captionCandidates(model, states, options)).map(([{ caption }]) => caption);
}
