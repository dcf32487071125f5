import sharp from 'sharp';
import { type Decoding, tokenCounts } from '#language';
import { tf } from '#src/engine';
import { activitySums, createUsageMeter, layerActivity, usageHistograms, usageTag } from '#src/tokenformer';
import type { Observation, ObservedImage } from '#src/tracking';
import { captionImages } from '../captioner.js';
import type { CaptionPairs } from '../captionPairs.js';
import { captionHidden } from '../captionPass.js';
import { groupPlaces } from '../groupPlaces.js';
import { imageContexts } from '../imageContexts.js';
import type { JointModel } from '../jointModel.js';
import type { GroupReading } from '../methods/index.js';
import { textBlocks } from '../streamBlocks.js';
import type { StatesOf } from './objectives/index.js';

/** Pictures that TensorBoard shows with their captions: the first of the validation data. */
const PICTURES = 4;
/** Longer captions are cut. */
const MAX_TOKENS = 24;

const GREEDY: Decoding = {
  method: 'greedy',
  maxTokens: MAX_TOKENS,
  minTokens: 0,
  repetitionPenalty: 1,
  stopTokens: [],
};

export interface ObservedAlignment {
  readonly model: JointModel;
  readonly validation: CaptionPairs;
  readonly statesOf: StatesOf;
  /** Pairs whose use of parameter tokens is counted. */
  readonly count: number;
}

/**
 * What TensorBoard shows of an alignment: captions of a few pictures beside their references, and how much parameter tokens are used.
 *
 * @param withPictures also the pictures themselves, which stay the same
 */
export async function observeAlignment(alignment: ObservedAlignment, withPictures: boolean): Promise<Observation> {
  const { captions, images } = await captionedPictures(alignment, withPictures);
  return { histograms: await pairUsage(alignment), images, texts: { captions } };
}

async function captionedPictures(
  { model, validation, statesOf }: ObservedAlignment,
  withPictures: boolean,
): Promise<{ captions: string; images: Record<string, ObservedImage> }> {
  const positions = [...validation.imageIds.keys()].slice(0, PICTURES);
  const states = tf.tidy(() => statesOf(validation, Int32Array.from(positions)));
  const generated = await captionImages(model, states, { decoding: GREEDY, bridge: true });
  states.dispose();
  const names = positions.map((position, i) => `${i + 1}: ${validation.captions[position][0]}`);
  const rows = generated.map((caption, i) => `| ${cell(names[i])} | ${cell(caption)} |`);
  const captions = ['| picture: reference | caption |', '|---|---|', ...rows].join('\n');
  if (!withPictures) return { captions, images: {} };
  const pngs = await Promise.all(positions.map((position) => picture(model, validation, position)));
  return { captions, images: Object.fromEntries(pngs.map((png, i) => [`pictures/${names[i].slice(0, 100)}`, png])) };
}

/** Text as a cell of a Markdown table. */
function cell(text: string): string {
  return text.replace(/[\\|<>`*_[\]]/g, '\\$&').replace(/\s+/g, ' ');
}

/** The pixels that the model sees. */
async function picture({ config }: JointModel, validation: CaptionPairs, position: number): Promise<ObservedImage> {
  const { imageSize } = config.vision.backbone;
  const pixels = Uint8Array.from(validation.pixelValues([position]), (value) => Math.round((value + 1) * 127.5));
  const png = await sharp(pixels, { raw: { width: imageSize, height: imageSize, channels: 3 } })
    .png()
    .toBuffer();
  return { png, width: imageSize, height: imageSize };
}

/** Histograms of the use of parameter tokens by captions, and by the image tokens that they read. */
async function pairUsage({
  model,
  validation,
  statesOf,
  count,
}: ObservedAlignment): Promise<Record<string, Float64Array>> {
  const { value: pairs } = validation.batches(count).next();
  if (pairs === undefined) return {};
  const { tokenIds, batch, seqLen } = pairs.text;
  const { stack } = model.config.language.backbone;
  const meter = createUsageMeter(textBlocks(model, true, { bridge: true }), stack);
  const places = groupPlaces(model);
  const read = new Map<string, tf.Tensor1D>();
  const onReading = ({ input, active }: GroupReading): void => {
    for (const activity of layerActivity(input, active, stack)) {
      const place = places.get(activity.group.valueParamTokens);
      if (place === undefined) continue;
      const mean = tf.div(tf.slice(activitySums(activity), [0, 0], [1, -1]), input.shape[0]);
      read.set(usageTag(place, activity.group.name), tf.keep(tf.reshape(mean, [-1])));
    }
  };
  await meter.observe((capture) => {
    const states = statesOf(validation, pairs.images);
    const contexts = imageContexts({ ...model, onReading }, states, { bridge: true });
    const ids = tf.tensor2d(tokenIds, [batch, seqLen], 'int32');
    captionHidden(model, ids, { contexts, bridge: true, capture });
  }, tokenCounts(pairs.text));
  const byImages: Record<string, Float64Array> = {};
  for (const [tag, mean] of read) {
    const use = Float64Array.from(await mean.data());
    mean.dispose();
    if (use.every(Number.isFinite)) byImages[tag] = use;
  }
  // A group that both text and image tokens use keeps what text makes of it.
  return { ...byImages, ...usageHistograms(meter.usage()) };
}
