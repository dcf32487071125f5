import { addedParameters, captionHidden, imageContexts, imageStates, type JointModel, textBlocks } from '#fusion';
import { languageBlocks, languageHidden, type TextBatch } from '#language';
import { tf } from '#src/engine';
import { tokenFormerStack } from '#src/stacks';
import { layerActivity } from '#src/tokenformer';
import { startWork } from '#src/tracking';
import { numImageTokens, numPatches } from '#vision';
import { createGroupTally, type GroupTally, type RowPlaces } from './groupTally.js';
import { readingListeners } from './imageReadings.js';
import type { InspectedModel } from './inspectedModel.js';
import type { InspectionData } from './inspectionData.js';
import { createGroupRecords, type PassRecorder, type RecordedGroup } from './passRecorder.js';
import { batchSizeFor } from './passSizes.js';

/** What texts found. */
export interface TextResults {
  readonly groups: readonly RecordedGroup[];
  /** What bridge groups that read image tokens bring to words, by path of the group. */
  readonly delivered: ReadonlyMap<string, GroupTally>;
}

/** Runs texts through the model, in a merged one with the image that each is read with. */
export async function textPasses(
  model: InspectedModel,
  { config }: NonNullable<InspectedModel['language']>,
  { images, texts }: Pick<InspectionData, 'images'> & Required<Pick<InspectionData, 'texts'>>,
  numContexts: number,
): Promise<TextResults> {
  const { tree, joint, vision } = model;
  const records = createGroupRecords(config.stack, numContexts);
  const withImages = joint && images && readWithImages(joint, model, numContexts);
  const imageTokens = withImages && vision ? numImageTokens(vision.backbone) : 0;
  const batchSize = batchSizeFor(config.seqLen + imageTokens, model);
  const report = startWork('texts', texts.count, 'texts');
  for (const { first, text, images: read } of texts.batches(batchSize)) {
    const places = textPlaces(first, text, read);
    await records.pass((recorder) => {
      const ids = tf.tensor2d(text.tokenIds, [text.batch, text.seqLen], 'int32');
      if (withImages && read) {
        withImages.pass(recorder, ids, images.pixelValues([...read]), places);
        return;
      }
      const blocks = joint ? textBlocks(joint, false, { bridge: true }) : languageBlocks(tree, config);
      const capture = recorder.listen('text', blocks, [], () => places);
      languageHidden(tree, config, ids, { stack: tokenFormerStack(blocks, config.stack), capture });
    });
    report(first + text.batch);
  }
  return { groups: records.groups(), delivered: withImages?.delivered ?? new Map() };
}

/** Rows of a batch of texts; padding does not count. Texts that begin alike have read the same up to there. */
function textPlaces(
  first: number,
  { tokenIds, seqLen, lengths }: TextBatch,
  images?: Int32Array,
): RowPlaces & { readonly contents: Int32Array } {
  const isText = (row: number): boolean => row % seqLen < lengths[Math.floor(row / seqLen)];
  const contents = new Int32Array(tokenIds.length);
  for (const [row, id] of tokenIds.entries()) {
    const before = row % seqLen === 0 ? (images?.[Math.floor(row / seqLen)] ?? -1) : contents[row - 1];
    // FNV-1a by whole numbers.
    contents[row] = Math.imul(before ^ (id + 1), 16_777_619);
  }
  return {
    items: Int32Array.from(tokenIds, (_, row) => (isText(row) ? first + Math.floor(row / seqLen) : -2)),
    positions: Int32Array.from(tokenIds, (_, row) => row % seqLen),
    contents,
  };
}

/** Passes of texts beside their images. */
function readWithImages(joint: JointModel, model: InspectedModel, numContexts: number) {
  const { imageSize } = joint.config.vision.backbone;
  const classTokens = numImageTokens(joint.config.vision.backbone) - numPatches(joint.config.vision.backbone);
  const bridges = new Set(addedParameters(joint.config).groups.map(({ path, group }) => `${path}/${group}`));
  const listenerOf = readingListeners(model);
  const delivered = new Map<string, GroupTally>();
  const pass = (recorder: PassRecorder, ids: tf.Tensor2D, pixels: Float32Array, places: RowPlaces): void => {
    const [batch, seqLen] = ids.shape;
    const readBridges: { readonly path: string; readonly use: tf.Tensor2D }[] = [];
    const onReading = listenerOf((layerPath, { input, active }) => {
      const ofBridges = active.filter(({ group }) => bridges.has(`${layerPath}/${group.name}`));
      for (const { group, use } of layerActivity(input, ofBridges, model.math)) {
        readBridges.push({ path: `${layerPath}/${group.name}`, use });
      }
    });
    const states = imageStates(joint, tf.tensor4d(pixels, [batch, imageSize, imageSize, 3]));
    const contexts = imageContexts({ ...joint, onReading }, states, { bridge: true });
    // There is one attention to follow only where image tokens stand in the softmax of every text layer.
    const hasJointAttention =
      !joint.method.contextsPrecedeText && contexts.every(({ separate }) => separate === undefined);
    const blocks = textBlocks(joint, true, { bridge: true });
    const looksAt = new Map<number, Int32Array>();
    // The token that begins a text has nothing but the image to read.
    const words = { ...places, items: places.items.map((item, row) => (places.positions[row] === 0 ? -2 : item)) };
    const listen = recorder.listen('text', blocks, joint.method.contextsPrecedeText ? [] : contexts, (block) => ({
      ...places,
      patches: looksAt.get(block),
    }));
    captionHidden(joint, ids, {
      bridge: true,
      contexts,
      capture: (name, compute) => {
        listen(name, compute);
        const block = /^block(\d+)\/attention\/probabilities$/.exec(name)?.[1];
        if (block === undefined || !hasJointAttention || contexts.length === 0) return;
        const attention = tf.slice(tf.mean(compute(), 1), [0, 0, 0], [-1, -1, states.shape[2]]) as tf.Tensor3D; // [batch, seqLen, imageTokens]
        const patches = new Int32Array(batch * seqLen);
        looksAt.set(Number(block), patches);
        const onPatches = tf.slice(attention, [0, 0, classTokens], [-1, -1, -1]);
        recorder.read(tf.argMax(onPatches, 2), (found) => patches.set(found));
        for (const { path, use } of readBridges.filter((bridge) => bridge.path.startsWith(`block${block}/`))) {
          const brought = broughtTo(attention, use);
          const tally = delivered.get(path) ?? createGroupTally(use.shape[1], numContexts);
          delivered.set(path, tally);
          recorder.read(brought, (uses) => tally.add(uses, new Float32Array(3 * use.shape[1]), { ...words, patches }));
        }
      },
    });
  };
  return { pass, delivered };
}

/**
 * Σ_p a_p u_i(x_p): what a parameter token that reads image tokens brings to each word.
 *
 * @param attention [batch, seqLen, imageTokens]
 * @param use [batch · imageTokens, n], or [imageTokens, n] where positions are read, the same of every image
 * @returns [batch · seqLen, n]
 */
function broughtTo(attention: tf.Tensor3D, use: tf.Tensor2D): tf.Tensor2D {
  const [batch, seqLen, imageTokens] = attention.shape;
  const [rows, n] = use.shape;
  const perImage = tf.reshape(use, [rows / imageTokens, imageTokens, n]) as tf.Tensor3D;
  const ofBatch = rows === imageTokens && batch > 1 ? tf.tile(perImage, [batch, 1, 1]) : perImage; // [batch, imageTokens, n]
  return tf.reshape(tf.matMul(attention, ofBatch), [batch * seqLen, n]) as tf.Tensor2D;
}
