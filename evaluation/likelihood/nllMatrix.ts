import type { JointModel, StateCache } from '#fusion';
import { disposeContexts, imageContexts, keepContexts } from '#fusion';
import { textBatch } from '#language';
import { tf } from '#src/engine';
import type { AttentionContext } from '#src/tokenformer';
import { startWork } from '#src/tracking';
import { captionNlls } from './captionNlls.js';

/** −log p of every caption of a pool given every image of it, in nats. */
export interface NllMatrix {
  /** [images][captions] */
  readonly given: readonly Float64Array[];
  /** Without an image, [captions]. */
  readonly blind: Float64Array;
}

/** Images whose keys and values are held at a time. */
const IMAGES_AT_ONCE = 32;

/**
 * The likelihood of every caption under every image. The states of an image come from the cache, its keys and values for
 * each text layer are computed once, and captions of similar length are batched together, each against all images of a chunk; equal
 * captions are computed once, so that ties between them are exact.
 *
 * @param positions of the images in the cache
 * @param batchSize rows of a forward pass
 */
export async function nllMatrix(
  model: JointModel,
  cache: StateCache,
  positions: readonly number[],
  captions: readonly string[],
  batchSize: number,
): Promise<NllMatrix> {
  const end = model.tokenizer.endOfTextId;
  const distinct = [...new Set(captions)]
    .map((caption) => ({ caption, row: Int32Array.from([end, ...model.tokenizer.encode(caption), end]) }))
    .sort((a, b) => a.row.length - b.row.length);
  const placeOf = new Map(distinct.map(({ caption }, place) => [caption, place]));
  const spread = (values: Float64Array): Float64Array =>
    Float64Array.from(captions, (caption) => values[placeOf.get(caption) as number]);

  /** −log p of all distinct captions under `numImages` images, whose contexts are [numImages, …]. */
  const nllsOf = async (
    numImages: number,
    contexts: readonly AttentionContext[] | undefined,
  ): Promise<Float64Array[]> => {
    const nlls = Array.from({ length: numImages }, () => new Float64Array(distinct.length));
    const perPass = Math.max(1, Math.floor(batchSize / numImages));
    for (let first = 0; first < distinct.length; first += perPass) {
      const chosen = distinct.slice(first, first + perPass);
      // Caption by caption, each with every image: the contexts then repeat as a whole.
      const rows = chosen.flatMap(({ row }) => Array.from({ length: numImages }, () => row));
      const text = textBatch(rows, chosen[chosen.length - 1].row.length - 1, end);
      const found = tf.tidy(() => {
        const repeated = contexts?.map((context) => ({
          ...context,
          keys: tf.concat(chosen.map(() => context.keys)),
          values: tf.concat(chosen.map(() => context.values)),
        }));
        return captionNlls(model, text, repeated, { bridge: true });
      });
      const values = await found.data();
      found.dispose();
      for (const [r, value] of values.entries()) nlls[r % numImages][first + Math.floor(r / numImages)] = value;
    }
    return nlls;
  };

  const given: Float64Array[] = [];
  const report = startWork('retrieval', positions.length, 'images');
  for (let first = 0; first < positions.length; first += IMAGES_AT_ONCE) {
    const chunk = positions.slice(first, first + IMAGES_AT_ONCE);
    const contexts = keepContexts(() => imageContexts(model, cache.states(chunk), { bridge: true }));
    try {
      given.push(...(await nllsOf(chunk.length, contexts)).map(spread));
    } finally {
      disposeContexts(contexts);
    }
    report(given.length);
  }
  const [blind] = await nllsOf(1, undefined);
  return { given, blind: spread(blind) };
}
