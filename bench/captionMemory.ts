/**
 * @file `npm run bench:memory [-- engine]`: peak memory of captioning over the number of images, with an untrained model
 * and one image file over and over, so that nothing but a leak grows. Each size has a process of its own, so that its peak
 * memory is its own.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { captionImageFiles, loadJointModel, MergeRecipe, merge, planMerge } from '#fusion';
import {
  createLanguageParameters,
  Decoding,
  type LanguageModelConfig,
  loadTokenizer,
  TOKENIZER_FILE,
  trainBpe,
  writeBpeModel,
} from '#language';
import { renderTable } from '#src/cli';
import { type EngineName, selectEngine, tf } from '#src/engine';
import { readBytes } from '#src/storage';
import { TokenFormerConfig } from '#src/tokenformer';
import { writeCheckpoint } from '#src/training';
import { createVisionParameters, VisionModelConfig } from '#vision';
import { peakBytes } from './peakBytes.js';

const SIZES = [500, 2000, 4000, 8000];
const BATCH = 32;
/** V8 collects garbage when it must: in a small heap that is soon, and what is left of growth is a leak. */
const SMALL_HEAP = ['--max-semi-space-size=1', '--max-old-space-size=64'];
const WAYS: Readonly<Record<string, object>> = {
  greedy: { method: 'greedy', maxTokens: 16 },
  'beam 5': { method: 'beam', width: 5, maxTokens: 16 },
};

const STACK = TokenFormerConfig.parse({
  ...{ dModel: 64, numLayers: 2, numHeads: 2, rotaryShare: 0.25 },
  ...{ qkvParamTokens: 64, outputParamTokens: 64, ffnParamTokens: 128 },
});

/** An untrained merged model and an image of 480 × 360 pixels. */
async function prepare(folder: string): Promise<void> {
  const vision = VisionModelConfig.parse({
    backbone: { imageSize: 64, patchSize: 16, stack: { ...STACK, rotaryShare: 0 } },
    ...{ objectives: [], labels: {} },
  });
  writeCheckpoint(join(folder, 'vision'), {
    model: { kind: 'vision', config: vision },
    tensors: createVisionParameters(vision.backbone, 1),
    assets: new Map(),
  });
  const path = join(folder, TOKENIZER_FILE);
  writeBpeModel(path, trainBpe({ texts: ['a red square beside a blue circle'], vocabSize: 270 }));
  const tokenizer = loadTokenizer({ kind: 'bpe', path: TOKENIZER_FILE }, { baseDir: folder });
  const language: LanguageModelConfig = {
    backbone: { vocabSize: tokenizer.vocabSize, seqLen: 64, stack: STACK },
    tokenizer: { kind: 'bpe', path: TOKENIZER_FILE },
    tokenizerFingerprint: tokenizer.fingerprint,
  };
  tokenizer.dispose();
  writeCheckpoint(join(folder, 'language'), {
    model: { kind: 'language', config: language },
    tensors: createLanguageParameters(language.backbone, 2),
    assets: new Map([[TOKENIZER_FILE, readBytes(path, 'tokenizer')]]),
  });
  const recipe = MergeRecipe.parse({ kind: 'merge', name: 'merged', vision: 'vision', language: 'language' });
  const { plan, problems } = planMerge(recipe, folder);
  if (plan === undefined) throw new Error(problems.join('\n'));
  merge(plan, join(folder, 'merged'));
  const noise = Buffer.from(Array.from({ length: 480 * 360 * 3 }, (_, i) => (i * 7919) % 251));
  await sharp(noise, { raw: { width: 480, height: 360, channels: 3 } })
    .jpeg()
    .toFile(join(folder, 'image.jpg'));
}

/** Captions so many images and prints what it took. */
async function captionOnce(folder: string, numImages: number, way: string, engine: 'auto' | EngineName): Promise<void> {
  await selectEngine(engine);
  const model = loadJointModel(join(folder, 'merged'));
  const path = join(folder, 'image.jpg');
  const images = Array.from({ length: numImages }, (_, id) => ({ id, fileName: 'image.jpg', path }));
  const before = tf.memory();
  let mostTensors = 0;
  const started = performance.now();
  for await (const _ of captionImageFiles(model, images, { decoding: Decoding.parse(WAYS[way]), batchSize: BATCH })) {
    mostTensors = Math.max(mostTensors, tf.memory().numTensors);
  }
  const seconds = (performance.now() - started) / 1000;
  const { numTensors, numBytes } = tf.memory();
  const more = [numTensors - before.numTensors, mostTensors - before.numTensors, numBytes - before.numBytes];
  process.stdout.write(JSON.stringify([seconds, peakBytes() / 2 ** 20, ...more]));
  model.dispose();
}

const [engine = 'auto', folder, size, way] = process.argv.slice(2);
if (folder !== undefined) {
  await captionOnce(folder, Number(size), way, engine as 'auto' | EngineName);
} else {
  const shared = mkdtempSync(join(tmpdir(), 'tokenfuse-bench-'));
  try {
    await prepare(shared);
    const rows = Object.keys(WAYS).flatMap((decoding) =>
      SIZES.map((numImages) => {
        const words = [...SMALL_HEAP, fileURLToPath(import.meta.url), engine, shared, String(numImages), decoding];
        const output = execFileSync(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
        const [seconds, peak, left, within, bytes] = JSON.parse(output.toString()) as number[];
        const perImage = ((1000 * seconds) / numImages).toFixed(1);
        return [
          decoding,
          numImages.toLocaleString('en-US'),
          perImage,
          peak.toFixed(0),
          `${left}`,
          `${within}`,
          `${bytes}`,
        ];
      }),
    );
    const heads = ['decoding', 'images', 'ms an image', 'peak MiB', 'tensors left', 'between', 'bytes left'];
    process.stdout.write(`${renderTable(heads, rows)}\n`);
  } finally {
    rmSync(shared, { recursive: true });
  }
}
