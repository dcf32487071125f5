/** @file A report of made-up numbers in the shape of a real pipeline's, over real scenes: to look at, and for tests. */
import type { GalleryItem, MergePlanPicture, PictureGroup, PictureLayer, ReportData } from '#evaluation/report';
import { captionScene, encodePng, renderScenes, ScenesConfig, sampleScene, sceneProbe } from '#scenes';
import { createRandom } from '#src/random';

export interface DemoPlanSize {
  readonly numBlocks: number;
  readonly qkv: number;
  readonly ffn: number;
  readonly bridge: number;
  readonly width: number;
}

export const SMALL_PLAN: DemoPlanSize = { numBlocks: 4, qkv: 96, ffn: 384, bridge: 32, width: 96 };

const TEXT_BRIDGES = ['query', 'key', 'value'];
const IMAGE_BRIDGES = ['key', 'value', 'output'];

/** The default recipe's layers: bridges on text query/key/value, on image key/value, on the output; none on the ffn. */
export function demoPlan({ numBlocks, qkv, ffn, bridge, width }: DemoPlanSize = SMALL_PLAN): MergePlanPicture {
  const group = (
    name: string,
    stream: PictureGroup['stream'],
    origin: PictureGroup['origin'],
    numParamTokens: number,
  ): PictureGroup => {
    const parameters = 2 * width * numParamTokens;
    return { name, stream, origin, numParamTokens, parameters, trained: origin === 'bridge' };
  };
  const layers = Array.from({ length: numBlocks }, (_, block) =>
    ['query', 'key', 'value', 'output', 'ffn'].map((layer): PictureLayer => {
      const numParamTokens = layer === 'ffn' ? ffn : qkv;
      const groups = [
        group('vision', 'image', 'vision', numParamTokens),
        group('language', 'text', 'language', numParamTokens),
        ...(TEXT_BRIDGES.includes(layer) ? [group('textBridge', 'text', 'bridge', bridge)] : []),
        ...(IMAGE_BRIDGES.includes(layer) ? [group('imageBridge', 'image', 'bridge', bridge)] : []),
      ];
      return { block, layer, groups };
    }),
  ).flat();
  const groups = layers.flatMap((layer) => layer.groups);
  const sum = (trained: boolean) =>
    groups.reduce((total, each) => total + (each.trained === trained ? each.parameters : 0), 0);
  return {
    method: 'routed',
    description: 'Image tokens use the vision group, text tokens the language group.',
    imageStates: 'last',
    oneNorm: false,
    layers,
    totals: { trained: sum(true), frozen: sum(false) + 31_488 },
  };
}

/** A noisy curve from `start` to `end`. */
function curve(name: string, [start, end]: [number, number], steps: number, every: number, noise: number) {
  const random = createRandom(1, name, steps);
  const at = (step: number) => end + (start - end) * Math.exp((-5 * step) / steps) + noise * random.normal();
  const points = Array.from({ length: Math.floor(steps / every) }, (_, i) => [(i + 1) * every, at(i * every)] as const);
  return { name, points };
}

async function demoGallery(imagesPerGroup: number): Promise<GalleryItem[]> {
  const settings = ScenesConfig.parse({});
  const groups = ['seen', 'held-out', 'failures'] as const;
  const items = groups.flatMap((group) => Array.from({ length: imagesPerGroup }, (_, index) => ({ group, index })));
  return Promise.all(
    items.map(async ({ group, index }): Promise<GalleryItem> => {
      const random = createRandom(3, group, index);
      const scene = sampleScene(random, settings, group === 'held-out' ? 'heldOut' : 'seen');
      const reference = [captionScene(scene, random), captionScene(scene, random)];
      const wrong = group === 'failures' ? { red: 'orange', circle: 'ring', small: 'large', blue: 'cyan' } : {};
      const marks = captionScene(scene, random)
        .split(' ')
        .map((truth) => {
          const word = (wrong as Record<string, string>)[truth] ?? truth;
          const named = /^(small|large|little|big|red|green|blue|yellow|purple|orange|cyan|white)$/.test(truth);
          return { word, ...((named || word !== truth) && { ok: word === truth }) };
        });
      const generated = marks.map(({ word }) => word).join(' ');
      const [pixels] = await renderScenes([scene]);
      return {
        group,
        image: encodePng(pixels, scene.imageSize, scene.imageSize),
        reference,
        generated,
        correct: group !== 'failures',
        marks,
        ...(group === 'failures' && { note: 'colour' }),
      };
    }),
  );
}

/** Everything a report can hold. */
export async function demoReport(imagesPerGroup = 6): Promise<ReportData> {
  const plan = demoPlan();
  const interval = (mean: number) => ({ mean, low: mean - 0.021, high: mean + 0.019 });
  const rows = (object: number, captionNll: number) => [
    {
      name: 'merged, aligned',
      note: 'bridges trained',
      kind: 'model' as const,
      scores: {
        object: interval(object),
        colour: 0.971,
        shape: 0.874,
        size: 0.983,
        relation: 0.912,
        relationDisagree: 0.731,
        exactScene: 0.612,
        captionNll,
        ciderD: 4.312,
        bleu4: 0.644,
      },
    },
    {
      name: 'shuffled images',
      kind: 'control' as const,
      scores: { object: 0.041, colour: 0.21, shape: 0.17, size: 0.56, relation: 0.49, captionNll: 2.531, ciderD: 0.91 },
    },
    {
      name: 'blind (no image)',
      kind: 'control' as const,
      scores: { object: 0.021, colour: 0.22, shape: 0.16, size: 0.58, relation: null, captionNll: 1.134, bleu4: 0.31 },
    },
    {
      name: 'zero trained parameters',
      kind: 'control' as const,
      scores: { object: 0.008, colour: 0.18, shape: 0.2, size: 0.15, exactScene: 0, captionNll: 1.947, ciderD: 0.102 },
    },
    { name: 'constant caption', kind: 'control' as const, scores: { object: 0.03, ciderD: 0.85, bleu4: 0.29 } },
    {
      name: 'train: all',
      note: 'upper bound',
      kind: 'control' as const,
      scores: { object: object + 0.01, colour: 0.981, shape: 0.9, size: 0.98, captionNll: captionNll - 0.02 },
    },
  ];
  return {
    title: 'Scenes quickstart: two frozen TokenFormers, merged',
    created: '2026-01-31T12:30:59.123Z',
    provenance: {
      engine: 'wasm',
      device: 'CPU, SIMD, 2 threads',
      node: 'v20.20.0',
      processor: 'Example Processor 9000 @ 2.60GHz (2 cores)',
      seed: 0,
      commit: '0123456789abcdef0123456789abcdef01234567',
      wallSeconds: 582.4,
      command: 'npm run quickstart -- --upper-bound',
    },
    summary: {
      checks: [
        { label: 'every backbone tensor kept (SHA-256)', passed: true, detail: '96 of 96' },
        { label: 'object accuracy on seen pairs at least 0.5', passed: true, detail: '0.861' },
        { label: 'object accuracy on held-out pairs at least 0.3', passed: true, detail: '0.779' },
        {
          label: 'caption NLL closes at least 80 % of the gap from blind to train: all',
          passed: true,
          detail: '96.1 %',
        },
        { label: 'shuffled images fall to the blind level', passed: false, detail: '0.041 against 0.021' },
      ],
      headline: [
        { label: 'objects right, seen pairs', value: 0.861, note: 'blind 0.021' },
        { label: 'objects right, held-out pairs', value: 0.779, note: 'blind 0.019' },
        { label: 'caption NLL gap closed', value: '96.1 %', note: 'of blind to train: all' },
        { label: 'parameters trained', value: plan.totals.trained, note: 'of 1,358,496' },
        { label: 'backbone tensors kept', value: '96 of 96' },
      ],
    },
    curves: [
      {
        stage: 'vision',
        yLabel: 'loss (nats)',
        series: [curve('train loss', [2.1, 0.21], 1500, 5, 0.05), curve('validation loss', [2, 0.25], 1500, 100, 0.01)],
      },
      {
        stage: 'vision',
        yLabel: 'accuracy',
        series: ['colour', 'shape', 'size'].map((name, i) => curve(name, [0.2, 0.97 - 0.04 * i], 1500, 100, 0.006)),
      },
      {
        stage: 'language',
        yLabel: 'loss (nats/token)',
        logY: true,
        series: [
          curve('train loss', [6.2, 1.02], 12_000, 10, 0.03),
          curve('validation loss', [6.1, 1.05], 12_000, 1000, 0.005),
        ],
      },
      {
        stage: 'align',
        yLabel: 'caption loss (nats/token)',
        series: [
          curve('train loss', [1.9, 0.48], 2800, 10, 0.04),
          curve('validation loss', [1.85, 0.5], 2800, 200, 0.006),
        ],
      },
    ],
    mergePlan: plan,
    results: [
      {
        testSet: 'seen',
        numImages: 500,
        attributes: sceneProbe.columns,
        note: 'Fresh scenes of pairs that alignment saw.',
        rows: rows(0.861, 0.508),
      },
      {
        testSet: 'held-out',
        numImages: 500,
        attributes: sceneProbe.columns,
        note: 'Every scene shows a (colour, shape) pair that no caption of alignment names.',
        rows: rows(0.779, 0.561),
      },
    ],
    gallery: await demoGallery(imagesPerGroup),
    parameters: [
      { component: 'vision backbone', trained: 0, frozen: 600_192 },
      { component: 'language backbone', trained: 0, frozen: 610_848 },
      { component: 'bridges on text query, key, value', trained: 73_728, frozen: 0 },
      { component: 'bridges on image key, value', trained: 49_152, frozen: 0 },
      { component: 'bridges on the output', trained: 24_576, frozen: 0 },
    ],
    hashes: {
      tensors: Array.from({ length: 96 }, (_, i) => ({
        name: `${i % 2 ? 'vision' : 'language'}/block${i >> 3}/attention/query/${i % 2 ? 'key' : 'value'}ParamTokens`,
        sha256: createRandom(4, i).uniform().toString(16).slice(2).padEnd(64, '0'),
        kept: true,
      })),
    },
  };
}
