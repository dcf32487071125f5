import { cpus } from 'node:os';
import type { CaptionSample, EvaluatedSet } from '#evaluation';
import { ROWS } from '#evaluation';
import {
  evaluationResults,
  type GalleryItem,
  mergePlanPicture,
  type ReportCurves,
  thumbnailIfReadable,
  writeReport,
} from '#evaluation/report';
import { sceneProbe } from '#scenes';
import { createRandom } from '#src/random';
import { readMetrics } from '#src/tracking';
import { readProvenance } from '#src/training';
import type { PipelineOutcome } from './pipelineOutcome.js';

/** Images shown of each kind; drawn at random, not chosen. */
const GALLERY_SIZE = 12;

/** Writes the one page that shows a finished pipeline. */
export async function writePipelineReport(path: string, outcome: PipelineOutcome): Promise<void> {
  const { mergeReport, evaluation, align, checks } = outcome;
  const provenance = readProvenance(outcome.runs[0].runDir);
  const firstModel = evaluation.sets[0]?.rows.find(({ name }) => name === ROWS.model.name);
  const { parameters } = mergeReport;
  const shown = evaluation.sets.slice(0, 2);
  const galleries = await Promise.all(shown.map(galleryOf));
  writeReport(path, {
    title: `tokenfuse: ${outcome.name}`,
    created: new Date().toISOString(),
    page: outcome.page,
    provenance: {
      engine: provenance.engine.name,
      device: provenance.engine.device,
      node: process.version,
      processor: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
      seed: provenance.seed,
      commit: provenance.commit ?? undefined,
      wallSeconds: outcome.wallSeconds,
      command: outcome.command,
    },
    summary: {
      checks: checks.map(({ label, passed, detail }) => ({ label, passed, detail })),
      headline: [
        {
          // Only drawn scenes tell which objects a caption has right.
          ...(firstModel?.attributes
            ? { label: 'object accuracy', value: firstModel.attributes.object ?? '–' }
            : { label: 'CIDEr-D', value: firstModel?.ciderD ?? '–' }),
          note: evaluation.sets[0]?.name ?? '',
        },
        { label: 'caption NLL', value: firstModel?.captionNll ?? '–', note: 'nats per token' },
        { label: 'parameters trained in fusion', value: Number(align.trainableParameters) },
        { label: 'backbone parameters, frozen', value: parameters.vision + parameters.language },
      ],
    },
    curves: outcome.runs.flatMap(({ stage, runDir }) => curvesOf(stage, runDir)),
    mergePlan: mergePlanPicture(outcome.plan, {
      trained: Number(align.trainableParameters),
      frozen: parameters.vision + parameters.language,
    }),
    results: evaluation.sets.map((set) => evaluationResults(set, sceneProbe)),
    gallery: galleries.flat(),
    parameters: [
      { component: 'vision backbone', trained: 0, frozen: parameters.vision },
      { component: 'language backbone', trained: 0, frozen: parameters.language },
      {
        component: 'bridge groups and gates',
        trained: Number(align.trainableParameters),
        frozen: parameters.fusion - Number(align.trainableParameters),
      },
    ],
    hashes: {
      tensors: mergeReport.tensors.map(({ name, inputSha256, outputSha256 }) => ({
        name,
        sha256: inputSha256,
        kept: inputSha256 === outputSha256,
      })),
    },
  });
}

/** One chart of losses and one of the other validation metrics, if there are any. */
function curvesOf(stage: string, runDir: string): ReportCurves[] {
  const series = new Map<string, [number, number][]>();
  for (const { step, values } of readMetrics(runDir)) {
    for (const [name, value] of Object.entries(values)) {
      series.set(name, [...(series.get(name) ?? []), [step, value]]);
    }
  }
  const pick = (wanted: (name: string) => boolean) =>
    [...series].filter(([name]) => wanted(name)).map(([name, points]) => ({ name, points }));
  const isLoss = (name: string): boolean => /(loss|captionNll)$/.test(name);
  const isShare = (name: string): boolean =>
    /validation\/.*([aA]ccuracy|F1)/.test(name) && !name.includes('gridAccuracy');
  const charts: ReportCurves[] = [{ stage, series: pick(isLoss), yLabel: 'loss (nats)' }];
  const shares = pick(isShare);
  if (shares.length > 0) charts.push({ stage, series: shares, yLabel: 'share right' });
  return charts;
}

async function galleryOf({ name, samples }: EvaluatedSet): Promise<GalleryItem[]> {
  const drawn = createRandom(0, 'gallery', name).shuffled(samples);
  const item = async (sample: CaptionSample, shownIn: GalleryItem['group']): Promise<GalleryItem> => ({
    group: shownIn,
    image: await thumbnailIfReadable(sample.image),
    reference: sample.references.slice(0, 1),
    generated: sample.generated,
    correct: sample.exact ?? undefined,
    note: shownIn === 'failures' ? name : undefined,
  });
  const shown = drawn.slice(0, GALLERY_SIZE).map((sample) => item(sample, name));
  const failures = drawn.slice(GALLERY_SIZE).filter(({ exact }) => exact === false);
  return Promise.all([...shown, ...failures.slice(0, GALLERY_SIZE / 2).map((sample) => item(sample, 'failures'))]);
}
