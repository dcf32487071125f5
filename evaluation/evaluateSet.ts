import { join } from 'node:path';
import { writePredictions } from '#captions/formats';
import { type CaptionSet, captionDiagnostics, sumOf } from '#captions/metrics';
import type { CaptionPairs, JointModel } from '#fusion';
import {
  cacheImageStates,
  captionImages,
  createRelationProbe,
  type RelationChoice,
  relationIntervals,
  type StateCache,
} from '#fusion';
import { type Scene, sceneAccuracy } from '#scenes';
import { createRandom } from '#src/random';
import type { ByteSource } from '#src/storage';
import {
  blankImage,
  derangement,
  type ImageFeatures,
  imageFeatures,
  leaveOneOut,
  nearestNeighbours,
} from './controls/index.js';
import type { EvaluateExperiment } from './evaluateConfig.js';
import {
  type DomainScores,
  type EvaluatedSet,
  type EvaluationRow,
  type PerImageScores,
  ROWS,
  type SetTraces,
} from './evaluation.js';
import { forcedChoice, type ImageNlls, nllMatrix, pairNlls, retrieval } from './likelihood/index.js';
import {
  pooledStatistics,
  type RowInput,
  type RowStatistics,
  rowIntervals,
  rowStatistics,
  scoresOfRow,
} from './rowStatistics.js';
import { captionTraces, type DrawTally } from './traces/index.js';

/** Images and captions to score, opened. */
export interface TestSet {
  readonly name: string;
  readonly pairs: CaptionPairs;
  readonly scenes: readonly Scene[] | undefined;
}

/** Captions that come from the training set alone. */
export interface TrainingControls {
  /** The best constant caption by each metric. */
  readonly ciderD: string;
  readonly bleu4: string;
  /** All of them: what is not among them is novel. */
  readonly captions: readonly string[];
  /** Images to look up, with a caption each. */
  readonly neighbours?: { readonly features: ImageFeatures; readonly captions: readonly string[] };
}

/** What is evaluated beside what. */
export interface Contestants {
  readonly model: JointModel;
  readonly bound: JointModel | undefined;
  readonly random: JointModel | undefined;
  readonly training: TrainingControls | undefined;
  /** Takes what traced words draw on, over all sets. */
  readonly tally: DrawTally;
}

/** Captions whose words are traced, over all sets: enough for shares by word. */
const TRACED_CAPTIONS = 64;

/** Captions one test set in every way, writes the predictions below `outDir`, and scores them. */
export async function evaluateSet(
  { model, bound, random, training, tally }: Contestants,
  { name: setName, pairs, scenes }: TestSet,
  experiment: EvaluateExperiment,
  outDir: string,
): Promise<{ evaluated: EvaluatedSet; traces: SetTraces }> {
  const { seed, batchSize, bootstrapSamples, sets } = experiment;
  const { imageIds, captions: references } = pairs;
  const everyImage = [...imageIds.keys()];
  const resample = { seed, samples: bootstrapSamples };
  const rows: EvaluationRow[] = [];
  const perImage: Record<string, PerImageScores> = {};
  const statisticsOf = (input: RowInput): RowStatistics => {
    const accuracy = scenes && sceneAccuracy(input.predictions, scenes).perImage;
    return rowStatistics(imageIds, { ...input, accuracy });
  };
  const rowOf = (name: string, predictions: readonly string[], statistics: RowStatistics): EvaluationRow => {
    const { attributes, ...scores } = scoresOfRow(sumOf(statistics.perImage), statistics);
    const counts = scenes && sceneAccuracy(predictions, scenes).counts;
    return {
      name,
      ...scores,
      attributes: attributes && counts ? { ...attributes, counts } : null,
      intervals: rowIntervals(statistics, resample),
    };
  };
  const addRow = (name: string, predictions: readonly string[], statistics: RowStatistics): void => {
    writePredictions(
      join(outDir, 'predictions', setName, `${fileName(name)}.json`),
      imageIds.map((id, i) => ({ image_id: id, caption: predictions[i] })),
    );
    rows.push(rowOf(name, predictions, statistics));
    const scores = statistics.perImage.map((vector) => scoresOfRow(vector, statistics));
    perImage[name] = {
      ciderD: scores.map(({ ciderD }) => ciderD),
      captionNll: statistics.hasNlls ? scores.map(({ captionNll }) => captionNll as number) : null,
    };
  };
  const add = (name: string, predictions: readonly string[], nlls?: readonly ImageNlls[]): RowStatistics => {
    const statistics = statisticsOf({ predictions, references, nlls });
    addRow(name, predictions, statistics);
    return statistics;
  };
  const same = (caption: string): string[] => imageIds.map(() => caption);
  const nllsOf = (
    of: JointModel,
    cache: StateCache | undefined,
    options: { bridge?: boolean; order?: number[] } = {},
  ) => pairNlls(of, cache, pairs, { batchSize, bridge: true, ...options });

  const cache = await cacheImageStates(model, pairs, batchSize);
  const own = await captionAll(model, cache, pairs, experiment, true);
  const ownNlls = await nllsOf(model, cache);
  const ownStatistics = add(ROWS.model, own, ownNlls);
  /** Another model than the evaluated one, on the same images. */
  const addModel = async (name: string, other: JointModel): Promise<void> => {
    const states = await cacheImageStates(other, pairs, batchSize);
    add(name, await captionAll(other, states, pairs, experiment, true), await nllsOf(other, states));
  };
  if (bound) await addModel(ROWS.upperBound, bound);
  const order = derangement(imageIds.length, seed, setName);
  const shuffledNlls = await nllsOf(model, cache, { order });
  // A caption is a function of its image, so the caption of a shuffled image is that image's caption.
  add(
    ROWS.shuffled,
    order.map((position) => own[position]),
    shuffledNlls,
  );
  const blank = await blankImage(model);
  const ofBlank = blank.states([0]);
  const [blankCaption] = await captionImages(model, ofBlank, { decoding: experiment.decoding, bridge: true });
  ofBlank.dispose();
  add(ROWS.blank, same(blankCaption), await nllsOf(model, blank));
  const [blindCaption] = await captionImages(model, undefined, { decoding: experiment.decoding, bridge: true });
  const blindNlls = await nllsOf(model, undefined);
  add(ROWS.blind, same(blindCaption), blindNlls);
  const untrained = await captionAll(model, cache, pairs, experiment, false);
  add(ROWS.untrained, untrained, await nllsOf(model, cache, { bridge: false }));
  if (random) await addModel(ROWS.randomVision, random);
  if (training?.neighbours) {
    const { features, captions } = training.neighbours;
    const nearest = nearestNeighbours(await imageFeatures(model, pairs, everyImage, batchSize), features);
    add(
      ROWS.neighbour,
      Array.from(nearest, (row) => captions[row]),
    );
  }
  if (training) {
    add(ROWS.constant, same(training.ciderD));
    add(ROWS.constantBleu4, same(training.bleu4));
  }
  const rounds = leaveOneOut(references);
  if (rounds.length > 0) addRow(ROWS.human, rounds[0].predictions, pooledStatistics(rounds.map(statisticsOf)));

  const pool = createRandom(seed, 'retrieval', setName).shuffled(everyImage).slice(0, experiment.retrieval.poolSize);
  const poolCaptions = pool.map((i) => createRandom(seed, 'retrieval', setName, imageIds[i]).choice(references[i]));
  const traced = createRandom(seed, 'traces', setName)
    .shuffled(everyImage)
    .slice(0, experiment.report.examples === 0 ? 0 : Math.ceil(TRACED_CAPTIONS / sets.length));
  const domains = pairs.images.map(({ domain }) => domain);
  const evaluated: EvaluatedSet = {
    name: setName,
    numImages: imageIds.length,
    rows,
    domains: [...new Set(domains.filter((domain) => domain !== undefined))].map((domain): DomainScores => {
      const members = everyImage.filter((i) => domains[i] === domain);
      const statistics = { ...ownStatistics, perImage: members.map((i) => ownStatistics.perImage[i]) };
      return { domain, numImages: members.length, row: rowOf(ROWS.model, own, statistics) };
    }),
    likelihood: {
      forcedChoice: forcedChoice(ownNlls, shuffledNlls, blindNlls, seed),
      retrieval: pool.length < 2 ? null : retrieval(await nllMatrix(model, cache, pool, poolCaptions, batchSize), seed),
      relationChoice: relationIntervals(await relationChoices(model, cache, pairs, scenes, batchSize), seed),
    },
    diagnostics: captionDiagnostics(
      new Map(imageIds.map((id, i) => [id, own[i]])),
      new Map(imageIds.map((id, i) => [id, references[i]])) satisfies CaptionSet,
      training?.captions,
    ),
    samples: everyImage.map((i) => {
      const { bleu4, rougeL, ciderD, captionNll } = scoresOfRow(ownStatistics.perImage[i], ownStatistics);
      return {
        imageId: imageIds[i],
        image: imageSource(pairs.images[i]),
        references: references[i],
        generated: own[i],
        exact: scenes ? sceneAccuracy([own[i]], [scenes[i]]).perImage[0].exactScene : null,
        bleu4,
        rougeL,
        ciderD,
        captionNll: captionNll as number,
      };
    }),
    perImage,
  };
  const captions = await captionTraces(
    model,
    cache,
    traced,
    traced.map((i) => own[i]),
    tally,
  );
  return { evaluated, traces: { set: setName, captions: captions ?? [] } };
}

async function relationChoices(
  model: JointModel,
  cache: StateCache,
  pairs: CaptionPairs,
  scenes: readonly Scene[] | undefined,
  batchSize: number,
): Promise<RelationChoice[]> {
  const probe = scenes && createRelationProbe(model, pairs, (positions) => cache.states(positions), scenes);
  return probe && 'choose' in probe ? probe.choose(batchSize) : [];
}

function imageSource({ path, member }: ByteSource): ByteSource {
  return member === undefined ? { path } : { path, member };
}

/** `constant, CIDEr-D` as `constant-cider-d`. */
function fileName(row: string): string {
  return row
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/-$/, '');
}

async function captionAll(
  model: JointModel,
  cache: StateCache,
  { imageIds }: CaptionPairs,
  { batchSize, decoding }: EvaluateExperiment,
  bridge: boolean,
): Promise<string[]> {
  const captions: string[] = [];
  for (let first = 0; first < imageIds.length; first += batchSize) {
    const ids = imageIds.slice(first, first + batchSize);
    const states = cache.states(ids.map((_, i) => first + i));
    captions.push(...(await captionImages(model, states, { decoding, bridge, imageIds: ids })));
    states.dispose();
  }
  return captions;
}
