import { captionNlls } from '#evaluation/likelihood';
import {
  attachJointGroup,
  captionCandidates,
  detachJointGroup,
  imageContexts,
  imageStates,
  type JointModel,
  loadJointModel,
  MERGE_REPORT,
} from '#fusion';
import { tf } from '#src/engine';
import { UserError } from '#src/errors';
import { findCheckpoint } from '#src/training';
import type { ImageInput } from '../imageInput.js';
import type { Caption, Model } from '../model.js';
import { currentEngine } from './currentEngine.js';
import { decodingOf } from './decodingOf.js';
import { hostData } from './hostData.js';
import { captionRows } from './languageModel.js';
import { pixelsOf } from './pixels.js';
import { storedModel } from './storedModel.js';

/** Images decoded into text together. */
const BATCH_SIZE = 32;

export async function openModel(path: string): Promise<Model> {
  const directory = findCheckpoint(path);
  await currentEngine();
  let joint = loadJointModel(directory);
  const { config, tokenizer, dispose } = joint;
  const statesOf = async (images: readonly ImageInput[]): Promise<tf.Tensor4D> => {
    const pixels = await pixelsOf(images, config.vision);
    return tf.tidy(() => imageStates(joint, tf.tensor4d(pixels.values, pixels.shape)));
  };
  const candidates: Model['candidates'] = async (images, options = {}) => {
    const decoding = decodingOf(options);
    const found: Caption[][] = [];
    for (let first = 0; first < images.length; first += BATCH_SIZE) {
      const batch = images.slice(first, first + BATCH_SIZE);
      const states = await statesOf(batch);
      const imageIds = batch.map((_, i) => first + i);
      found.push(
        ...(await captionCandidates(joint, states, { decoding, bridge: true, imageIds }).finally(() =>
          states.dispose(),
        )),
      );
    }
    return found;
  };
  return {
    ...storedModel<JointModel>({
      current: () => joint,
      become: (next) => {
        joint = next;
      },
      attach: attachJointGroup,
      detach: detachJointGroup,
      describe: (state) => ({ kind: 'fusion', config: state.config }),
      // With a group, the backbones are others than the merge report is about.
      assets: ({ assets, attachedGroups = { vision: [], language: [] } }) => {
        const isGrouped = Object.values(attachedGroups).flat().length > 0;
        return new Map([...assets].filter(([name]) => name !== MERGE_REPORT || !isGrouped));
      },
      release: dispose,
    }),
    imageSize: config.vision.backbone.imageSize,
    method: config.fusion.method,
    candidates,
    caption: async (images, decoding) => (await candidates(images, decoding)).map(([{ caption }]) => caption),
    encode: async (images) => {
      const states = await statesOf(images);
      return hostData(() => states);
    },
    logProbs: async (images, captions) => {
      if (captions.length !== images.length) {
        throw new UserError(`captions: expected one for each of ${images.length} images, got ${captions.length}`);
      }
      const text = captionRows(captions, tokenizer, config.language.backbone.seqLen);
      const states = await statesOf(images);
      try {
        const options = { bridge: true };
        const { values } = await hostData(() =>
          tf.neg(captionNlls(joint, text, imageContexts(joint, states, options), options)),
        );
        return Array.from(values);
      } finally {
        states.dispose();
      }
    },
  };
}
