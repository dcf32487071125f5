import type { CaptionPairs, JointModel, StateCache } from '#fusion';
import { cacheImageStates, captionImages } from '#fusion';
import { startWork } from '#src/tracking';
import { blankImage, derangement, imageFeatures, leaveOneOut, nearestNeighbours } from './controls.js';
import type { EvaluateExperiment } from './evaluateConfig.js';
import { ROWS } from './evaluation.js';
import { type ImageNlls, type PairNllOptions, pairNlls } from './likelihood/index.js';
import type { TrainingControls } from './trainingControls.js';

/** The evaluated model and those it is compared with. */
export interface EvaluatedModels {
  readonly model: JointModel;
  /** Aligned with `train: all`. */
  readonly bound: JointModel | undefined;
  /** The model over random vision. */
  readonly random: JointModel | undefined;
}

/** One way of captioning a test set; a row of its tables. Arrays are in the order of the set's images. */
export interface CaptionRow {
  readonly name: string;
  readonly captions: readonly string[];
  /** NLLs of the references under this row's model and images; absent for captions that come from no model. */
  readonly nlls?: readonly ImageNlls[];
  /** Captions with what each is scored by, where that is not simply all references; pooled. */
  readonly rounds?: readonly {
    readonly predictions: readonly string[];
    readonly references: readonly (readonly string[])[];
  }[];
}

/** Captions a test set in every way (`ROWS`); the model's own row comes first. */
export async function captionRows(
  { model, bound, random }: EvaluatedModels,
  training: TrainingControls | undefined,
  { name: setName, pairs }: { readonly name: string; readonly pairs: CaptionPairs },
  cache: StateCache,
  experiment: EvaluateExperiment,
): Promise<CaptionRow[]> {
  const { decoding, batchSize, seed } = experiment;
  const { imageIds, captions: references } = pairs;
  const same = (caption: string): string[] => imageIds.map(() => caption);

  const nllsOf = (
    row: string,
    from: JointModel,
    states: StateCache | undefined,
    options: Omit<PairNllOptions, 'batchSize' | 'report'>,
  ): Promise<ImageNlls[]> => {
    const report = startWork(`${setName}, ${row}: likelihood`, imageIds.length, 'images');
    return pairNlls(from, states, pairs, { ...options, batchSize, report });
  };
  const byModel = async (
    { name }: { readonly name: string },
    from: JointModel,
    states: StateCache,
    bridge = true,
  ): Promise<CaptionRow> => ({
    name,
    captions: await captionAll(`${setName}, ${name}`, from, states, pairs, experiment, bridge),
    nlls: await nllsOf(name, from, states, { bridge }),
  });
  const byOther = async (row: { readonly name: string }, other: JointModel): Promise<CaptionRow> =>
    byModel(row, other, await cacheImageStates(other, pairs, batchSize));

  /** What trained parameters change of the image states is off too. */
  const untrainedStates = async (): Promise<StateCache> =>
    model.config.fusion.lora?.backbones.includes('vision')
      ? cacheImageStates(model, pairs, batchSize, { bridge: false })
      : cache;

  const own = await byModel(ROWS.model, model, cache);

  const shuffled = async (): Promise<CaptionRow> => {
    const order = derangement(imageIds.length, seed, setName);
    return {
      name: ROWS.shuffled.name,
      // A caption is a function of its image, so the caption of a shuffled image is that image's caption.
      captions: order.map((position) => own.captions[position]),
      nlls: await nllsOf(ROWS.shuffled.name, model, cache, { bridge: true, order }),
    };
  };
  /** One image in the place of all, or none. */
  const constantImage = async (
    { name }: { readonly name: string },
    image: StateCache | undefined,
  ): Promise<CaptionRow> => {
    const states = image?.states([0]);
    const [caption] = await captionImages(model, states, { decoding, bridge: true });
    states?.dispose();
    return {
      name,
      captions: same(caption),
      nlls: await nllsOf(name, model, image, { bridge: true }),
    };
  };
  const neighbour = async ({ features, captions }: Required<TrainingControls>['neighbours']): Promise<CaptionRow> => {
    const queries = await imageFeatures(model, pairs, [...imageIds.keys()], batchSize);
    const nearest = nearestNeighbours(queries, features);
    return { name: ROWS.neighbour.name, captions: Array.from(nearest, (row) => captions[row]) };
  };
  const human = (): CaptionRow[] => {
    const rounds = leaveOneOut(references);
    return rounds.length > 0 ? [{ name: ROWS.human.name, captions: rounds[0].predictions, rounds }] : [];
  };

  return [
    own,
    ...(bound ? [await byOther(ROWS.upperBound, bound)] : []),
    await shuffled(),
    await constantImage(ROWS.blank, await blankImage(model)),
    await constantImage(ROWS.blind, undefined),
    await byModel(ROWS.untrained, model, await untrainedStates(), false),
    ...(random ? [await byOther(ROWS.randomVision, random)] : []),
    ...(training?.neighbours ? [await neighbour(training.neighbours)] : []),
    ...(training
      ? [
          { name: ROWS.constant.name, captions: same(training.ciderD) },
          { name: ROWS.constantBleu4.name, captions: same(training.bleu4) },
        ]
      : []),
    ...human(),
  ];
}

async function captionAll(
  label: string,
  model: JointModel,
  cache: StateCache,
  { imageIds }: CaptionPairs,
  { batchSize, decoding }: EvaluateExperiment,
  bridge: boolean,
): Promise<string[]> {
  const captions: string[] = [];
  const report = startWork(`${label}: captions`, imageIds.length, 'images');
  for (let first = 0; first < imageIds.length; first += batchSize) {
    const ids = imageIds.slice(first, first + batchSize);
    const states = cache.states(ids.map((_, i) => first + i));
    captions.push(...(await captionImages(model, states, { decoding, bridge, imageIds: ids })));
    states.dispose();
    report(captions.length);
  }
  return captions;
}
