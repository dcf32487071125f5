import { join } from 'node:path';
import { writePredictions } from '#captions/formats';
import { type CaptionProbe, captionDiagnostics, type ProbedImages } from '#captions/metrics';
import type { CaptionPairs, StateCache } from '#fusion';
import { cacheImageStates, choiceIntervals, createChoiceProbe, type JointModel } from '#fusion';
import { createRandom } from '#src/random';
import type { ByteSource } from '#src/storage';
import { startWork } from '#src/tracking';
import { type CaptionRow, captionRows, type EvaluatedModels } from './captionRows.js';
import type { EvaluateExperiment } from './evaluateConfig.js';
import {
  type CaptionSample,
  type DomainScores,
  type EvaluatedSet,
  type LikelihoodScores,
  ROWS,
  type SetTraces,
} from './evaluation.js';
import { forcedChoice, type ImageNlls, nllMatrix, retrieval } from './likelihood/index.js';
import { type RowScores, scoreRow } from './rowScores.js';
import { captionTraces, type DrawTally } from './traces/index.js';
import type { TrainingControls } from './trainingControls.js';

/** Images and captions to score, opened. */
export interface TestSet {
  readonly name: string;
  readonly pairs: CaptionPairs;
  /** What is known of the images besides. */
  readonly truth: { readonly probe: CaptionProbe; readonly images: ProbedImages } | undefined;
}

/** Captions whose words are traced, over all sets: enough for shares by word. */
const TRACED_CAPTIONS = 64;

/**
 * Captions one test set in every way, writes the predictions below `outDir`, and scores them.
 *
 * @param tally takes what traced words draw on, over all sets
 */
export async function evaluateSet(
  models: EvaluatedModels,
  training: TrainingControls | undefined,
  set: TestSet,
  experiment: EvaluateExperiment,
  { outDir, tally }: { readonly outDir: string; readonly tally: DrawTally },
): Promise<{ evaluated: EvaluatedSet; traces: SetTraces }> {
  const { model } = models;
  const { name, pairs, truth } = set;
  const { imageIds, captions: references } = pairs;
  const { seed, batchSize, bootstrapSamples } = experiment;
  const cache = await cacheImageStates(model, pairs, batchSize);

  const rows = await captionRows(models, training, set, cache, experiment);
  for (const { name: row, captions } of rows) {
    const path = join(outDir, 'predictions', name, `${fileName(row)}.json`);
    writePredictions(
      path,
      imageIds.map((id, i) => ({ image_id: id, caption: captions[i] })),
    );
  }
  const resample = { seed, samples: bootstrapSamples };
  const scores = rows.map((row) => scoreRow(row, { imageIds, references, truth }, resample));
  const own = rows[0].captions;
  const report = startWork(`${name}: scores`, rows.length, 'rows');
  const evaluated: EvaluatedSet = {
    name,
    numImages: imageIds.length,
    ...(pairs.numLeftOut > 0 && { numLeftOut: pairs.numLeftOut }),
    rows: scores.map((score, r) => {
      const scored = score.row();
      report(r + 1);
      return scored;
    }),
    domains: domainScores(pairs, scores[0]),
    likelihood: await likelihoodScores(model, cache, set, rows, experiment),
    diagnostics: captionDiagnostics(
      new Map(imageIds.map((id, i) => [id, own[i]])),
      new Map(imageIds.map((id, i) => [id, references[i]])),
      training?.captions,
    ),
    samples: captionSamples(pairs, own, scores[0]),
    perImage: Object.fromEntries(rows.map((row, r) => [row.name, scores[r].perImage()])),
  };
  const traced = createRandom(seed, 'traces', name)
    .shuffled([...imageIds.keys()])
    .slice(0, experiment.report.examples === 0 ? 0 : Math.ceil(TRACED_CAPTIONS / experiment.sets.length));
  const tracedCaptions = traced.map((i) => own[i]);
  const captions = await captionTraces(model, cache, traced, tracedCaptions, { tally });
  return { evaluated, traces: { set: name, captions: captions ?? [] } };
}

/** The model's row over the images of each domain. */
function domainScores({ images }: CaptionPairs, own: RowScores): DomainScores[] {
  const domains = images.map(({ domain }) => domain);
  return [...new Set(domains.filter((domain) => domain !== undefined))].map((domain) => {
    const members = [...images.keys()].filter((i) => domains[i] === domain);
    return { domain, numImages: members.length, row: own.row(members) };
  });
}

async function likelihoodScores(
  model: JointModel,
  cache: StateCache,
  { name, pairs, truth }: TestSet,
  rows: readonly CaptionRow[],
  { seed, batchSize, retrieval: { poolSize } }: EvaluateExperiment,
): Promise<LikelihoodScores> {
  const { imageIds, captions: references } = pairs;
  const nllsOf = (wanted: { readonly name: string }): readonly ImageNlls[] =>
    rows.find((row) => row.name === wanted.name)?.nlls ?? [];
  const pool = createRandom(seed, 'retrieval', name)
    .shuffled([...imageIds.keys()])
    .slice(0, poolSize);
  const poolCaptions = pool.map((i) => createRandom(seed, 'retrieval', name, imageIds[i]).choice(references[i]));
  const choice = truth && createChoiceProbe(model, pairs, truth.probe.choice, truth.images);
  const choices = choice && 'choose' in choice ? await choice.choose((at) => cache.states(at), batchSize) : [];
  return {
    forcedChoice: forcedChoice(nllsOf(ROWS.model), nllsOf(ROWS.shuffled), nllsOf(ROWS.blind), seed),
    retrieval: pool.length < 2 ? null : retrieval(await nllMatrix(model, cache, pool, poolCaptions, batchSize), seed),
    relationChoice: choiceIntervals(choices, seed),
  };
}

/** Every image with what the model said of it. */
function captionSamples(
  { imageIds, images, captions }: CaptionPairs,
  own: readonly string[],
  scores: RowScores,
): CaptionSample[] {
  return imageIds.map((imageId, i) => {
    const { exact, bleu4, rougeL, ciderD, captionNll } = scores.image(i);
    return {
      imageId,
      image: imageSource(images[i]),
      references: captions[i],
      generated: own[i],
      ...{ exact, bleu4, rougeL, ciderD },
      captionNll: captionNll as number,
    };
  });
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
