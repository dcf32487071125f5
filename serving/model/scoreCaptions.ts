import { captionTokenNlls } from '#evaluation/likelihood';
import { tokenWords } from '#evaluation/traces';
import { disposeContexts, imageContexts, imageStates, type JointModel, keepContexts } from '#fusion';
import { textBatch } from '#language';
import { tf } from '#src/engine';
import { pixelValuesOf } from '#vision';
import type { CaptionScore, Works } from '../works.js';

/** Captions of one forward pass. */
const ROWS = 32;

/** How likely given captions of pictures are, word by word; −`logProb` is the NLL of `tokenfuse evaluate`. */
export async function scoreCaptions(
  model: JointModel,
  pictures: readonly Works['score']['item'][],
): Promise<CaptionScore[][]> {
  const { tokenizer, config } = model;
  const end = tokenizer.endOfTextId;
  const rows = pictures
    .flatMap(({ captions }, picture) =>
      captions.map((caption, place) => ({ picture, place, caption, ids: Array.from(tokenizer.encode(caption)) })),
    )
    .sort((a, b) => a.ids.length - b.ids.length);
  const { imageSize } = config.vision.backbone;
  const images = pictures.map(({ pixels }) => pixels);
  const contexts = keepContexts(() =>
    imageContexts(model, imageStates(model, pixelValuesOf(images, imageSize)), { bridge: true }),
  );
  const found: CaptionScore[][] = pictures.map(() => []);
  try {
    for (let start = 0; start < rows.length; start += ROWS) {
      const batch = rows.slice(start, start + ROWS);
      const text = textBatch(
        batch.map(({ ids }) => Int32Array.from([end, ...ids, end])),
        batch[batch.length - 1].ids.length + 1,
        end,
      );
      const [perToken, sums] = tf.tidy(() => {
        const of = tf.tensor1d(
          batch.map(({ picture }) => picture),
          'int32',
        );
        const ofRows = contexts.map((context) => ({
          ...context,
          keys: tf.gather(context.keys, of),
          values: tf.gather(context.values, of),
        }));
        const nlls = captionTokenNlls(model, text, ofRows, { bridge: true }); // [rows, seqLen]
        return [nlls, tf.sum(nlls, 1)];
      });
      const [tokenNlls, captionNlls] = await Promise.all([perToken.data(), sums.data()]);
      tf.dispose([perToken, sums]);
      for (const [r, { picture, place, caption, ids }] of batch.entries()) {
        const own = tokenNlls.subarray(r * text.seqLen, (r + 1) * text.seqLen);
        found[picture][place] = {
          caption,
          logProb: -captionNlls[r],
          numTokens: ids.length + 1,
          words: tokenWords(ids, tokenizer).map(({ word, tokens }) => ({
            word,
            logProb: -tokens.reduce((sum, token) => sum + own[token], 0),
          })),
          endLogProb: -own[ids.length],
        };
      }
    }
    return found;
  } finally {
    disposeContexts(contexts);
  }
}
