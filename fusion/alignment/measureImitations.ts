import { Matrix } from 'ml-matrix';
import { tf } from '#src/engine';
import { pattentionLayer, tokenWeights } from '#src/tokenformer';
import { startWork } from '#src/tracking';
import type { CaptionBatch, CaptionPairs } from '../captionPairs.js';
import { captionHidden } from '../captionPass.js';
import { imageContexts } from '../imageContexts.js';
import type { JointModel } from '../jointModel.js';
import type { AddedGroup, GroupReading } from '../methods/index.js';
import { textBlocks } from '../streamBlocks.js';
import type { StatesOf } from './objectives/index.js';

/** A bridge group whose output stands for something of captions. */
export type Imitation = AddedGroup & Required<Pick<AddedGroup, 'imitates'>>;

/** Means of each training pair, a row each. */
export interface MeasuredImitation {
  readonly place: Imitation;
  /** Over image tokens, of the states that the group reads or of its weights. [pairs, dIn or numParamTokens] */
  readonly inputs: Matrix;
  /** Over the tokens of the caption, of what the group imitates, less what other groups make of the image. [pairs, dOut] */
  readonly targets: Matrix;
}

export interface ImitationData {
  readonly model: JointModel;
  readonly places: readonly Imitation[];
  readonly train: CaptionPairs;
  readonly statesOf: StatesOf;
  readonly batchSize: number;
  /** What `inputs` are means of: states, or Θ(x Kᵀ). */
  readonly of: 'states' | 'weights';
}

/** The path of a group's parameters. */
export function groupPath({ path, group }: AddedGroup): string {
  return `${path}/${group}`;
}

/** Measures what silent bridge groups read of images, and what captions without images have in its place. */
export async function measureImitations(data: ImitationData): Promise<MeasuredImitation[]> {
  const { places, train, batchSize, of } = data;
  const measured = places.map((place) => ({
    place,
    inputs: new Matrix(train.numPairs, of === 'states' ? place.dIn : place.numParamTokens),
    targets: new Matrix(train.numPairs, place.dOut),
  }));
  const report = startWork(`mean ${of}`, train.numPairs, 'pairs');
  let first = 0;
  for (const batch of train.batches(batchSize)) {
    const means = tf.tidy(() => batchMeans(data, batch));
    for (const [i, { inputs, targets }] of measured.entries()) {
      for (const [matrix, mean] of [
        [inputs, means[i].inputs],
        [targets, means[i].targets],
      ] as const) {
        const rows = await mean.data(); // [batch, columns]
        for (let i = 0; i < mean.shape[0]; i++) {
          matrix.setRow(first + i, rows.subarray(i * matrix.columns, (i + 1) * matrix.columns));
        }
        mean.dispose();
      }
    }
    first += batch.images.length;
    report(first);
  }
  return measured;
}

/** The means of a batch for each place, [batch, …]. */
function batchMeans(
  { model, places, train, statesOf, of }: ImitationData,
  { images, text }: CaptionBatch,
): { readonly inputs: tf.Tensor2D; readonly targets: tf.Tensor2D }[] {
  const { batch, seqLen, lengths } = text;
  const math = model.config.language.backbone.stack;
  const isPlace = new Set(places.map((place) => valuesOf(model, place)));
  const inputs = new Map<tf.Tensor, tf.Tensor2D>();
  const onReading = ({ input, active }: GroupReading): void => {
    if (!isPlace.has(active[0].group.valueParamTokens)) return;
    const rows = of === 'states' ? input : tokenWeights(input, active[0], math); // [batch · numImageTokens, width]
    inputs.set(active[0].group.valueParamTokens, tf.mean(tf.reshape(rows, [batch, -1, rows.shape[1]]), 1));
  };
  const contexts = imageContexts({ ...model, onReading }, statesOf(train, images), { bridge: true });

  const counted = Float32Array.from({ length: batch * seqLen }, (_, i) =>
    i % seqLen < lengths[Math.floor(i / seqLen)] ? 1 / lengths[Math.floor(i / seqLen)] : 0,
  );
  const weights = tf.tensor3d(counted, [batch, 1, seqLen]);
  const captionMean = (rows: tf.Tensor): tf.Tensor2D =>
    tf.squeeze(tf.matMul(weights, tf.reshape(rows, [batch, seqLen, -1])), [1]); // [batch, dOut]
  const seen = new Map<string, tf.Tensor>();
  captionHidden(model, tf.tensor2d(text.tokenIds, [batch, seqLen], 'int32'), {
    bridge: false,
    capture: (name, compute) => {
      if (name === 'hidden.0' || /\/attention\/(key|value)\/input$/.test(name)) seen.set(name, compute());
    },
  });
  const layers = textBlocks(model, false, { bridge: false });
  return places.map((place) => {
    const { block, imitates } = place;
    const ofCaption =
      imitates === 'embedding'
        ? captionMean(seen.get('hidden.0') as tf.Tensor)
        : captionMean(
            pattentionLayer(
              seen.get(`block${block}/attention/${imitates}/input`) as tf.Tensor2D,
              layers[block][imitates],
              math,
            ),
          );
    const ofImage = { key: contexts[block].keys, value: contexts[block].values, embedding: undefined }[imitates];
    return {
      inputs: inputs.get(valuesOf(model, place)) as tf.Tensor2D,
      targets: ofImage ? (tf.sub(ofCaption, tf.mean(ofImage, 1)) as tf.Tensor2D) : ofCaption,
    };
  });
}

/** The variable by which readings tell a group. */
function valuesOf({ tree }: JointModel, place: Imitation): tf.Tensor {
  return tree.variable(`${groupPath(place)}/valueParamTokens`);
}
