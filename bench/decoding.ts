/**
 * @file Times the ways of decoding captions against each other with a merged model, on the engine of `auto`:
 * `npm run bench:decoding -- runs/quickstart [engine] [rounds]`, after `npm run quickstart`.
 *
 * The run directory has the model in `align` and images in `data/test_seen`. The ways take turns within a round; times
 * are medians over rounds, per caption, without the vision backbone's part.
 */
import { join } from 'node:path';
import { listImages } from '#captions/formats';
import { captionCandidates, imageStates, loadJointModel } from '#fusion';
import { Decoding } from '#language';
import { type EngineName, selectEngine, tf } from '#src/engine';
import { readBytes } from '#src/storage';
import { decodeImage } from '#vision';
import { median } from './statistics.js';

const IMAGES = 96;
const BATCHES = [1, 32];
const WAYS = {
  greedy: { method: 'greedy' },
  'beam 5': { method: 'beam', width: 5 },
  'beam 5, 5 best': { method: 'beam', width: 5, nBest: 5 },
  'beam 5, α 0.7': { method: 'beam', width: 5, lengthPenalty: 0.7 },
  'sample, top-p 0.9': { method: 'sample', topP: 0.9 },
};

const [runDir, engine = 'auto', rounds = '7'] = process.argv.slice(2);
if (runDir === undefined) throw new Error('bench: expected the run directory of a finished quickstart');
const { name, device } = await selectEngine(engine as 'auto' | EngineName);
const model = loadJointModel(join(runDir, 'align'));
const { backbone, preprocessing } = model.config.vision;
const images = listImages(join(runDir, 'data/test_seen/captions.json')).slice(0, IMAGES);
const decoded = await Promise.all(
  images.map((image) => decodeImage(readBytes(image, 'image'), { imageSize: backbone.imageSize, ...preprocessing })),
);
const pixels = Float32Array.from(Buffer.concat(decoded), (byte) => byte / 127.5 - 1);
const states = tf.tidy(() =>
  imageStates(model, tf.tensor4d(pixels, [images.length, backbone.imageSize, backbone.imageSize, 3])),
);
console.log(`${name}: ${device}; ${images.length} images, medians of ${rounds} rounds\n`);
console.log(`${'batch, decoding'.padEnd(28)}ms/caption   tokens/s   × greedy   log p/caption`);
for (const batch of BATCHES) await compare(batch);
tf.dispose(states);
model.dispose();

async function compare(batch: number): Promise<void> {
  const count = batch === 1 ? 16 : images.length;
  const times = Object.fromEntries(Object.keys(WAYS).map((way) => [way, [] as number[]]));
  const found: Record<string, { tokens: number; logProb: number }> = {};
  for (let round = -1; round < Number(rounds); round++) {
    for (const [way, settings] of Object.entries(WAYS)) {
      const { milliseconds, ...rest } = await captionAll(Decoding.parse(settings), batch, count);
      if (round >= 0) times[way].push(milliseconds);
      found[way] = rest;
    }
  }
  const greedy = median(times.greedy);
  for (const [way, { tokens, logProb }] of Object.entries(found)) {
    const time = median(times[way]);
    const columns = [
      (time / count).toFixed(2).padStart(10),
      ((1000 * tokens) / time).toFixed(0).padStart(11),
      (time / greedy).toFixed(2).padStart(11),
      (logProb / count).toFixed(3).padStart(16),
    ];
    console.log(`${`${batch}, ${way}`.padEnd(28)}${columns.join('')}`);
  }
}

/** Of the first caption of each image: its tokens with the end, and log p. */
async function captionAll(
  decoding: Decoding,
  batch: number,
  count: number,
): Promise<{ milliseconds: number; tokens: number; logProb: number }> {
  let [tokens, logProb] = [0, 0];
  const started = performance.now();
  for (let first = 0; first < count; first += batch) {
    const part = tf.slice(states, [first, 0, 0, 0], [batch, -1, -1, -1]);
    for (const [best] of await captionCandidates(model, part, { decoding, bridge: true })) {
      tokens += best.numTokens + (best.ended ? 1 : 0);
      logProb += best.logProb;
    }
    part.dispose();
  }
  return { milliseconds: performance.now() - started, tokens, logProb };
}
