/**
 * @file `npm run bench:recompute [-- engine] [rounds]`: peak memory and processor time of training steps that keep what blocks computed, and
 * of those that compute it again (`training.recompute`). The two take turns, each in a process of its own, so that its peak memory is its
 * own; medians over rounds.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LanguageConfig } from '#language';
import { renderTable } from '#src/cli';
import { type EngineName, selectEngine } from '#src/engine';
import { TokenFormerConfig } from '#src/tokenformer';
import { languageStep } from './languageStep.js';
import { peakBytes } from './peakBytes.js';
import { median } from './statistics.js';

/** 20.4 M parameters. */
const MODEL: LanguageConfig = {
  vocabSize: 4096,
  seqLen: 256,
  stack: TokenFormerConfig.parse({
    ...{ dModel: 384, numLayers: 8, numHeads: 6, rotaryShare: 0.25 },
    ...{ qkvParamTokens: 384, outputParamTokens: 384, ffnParamTokens: 1536 },
  }),
};
const BATCH = 16;
/** The first finds its memory. */
const STEPS = 3;
const WAYS = { kept: {}, 'computed again': { recompute: true } } as const;

/** Trains some steps and prints peak MiB and the seconds of processor time of a step. */
async function trainOnce(engine: 'auto' | EngineName, way: keyof typeof WAYS): Promise<void> {
  await selectEngine(engine);
  const step = languageStep(MODEL, BATCH, WAYS[way]);
  await step();
  const before = process.cpuUsage();
  for (let i = 1; i < STEPS; i++) await step();
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(JSON.stringify([peakBytes() / 2 ** 20, (user + system) / 1e6 / (STEPS - 1)]));
}

const [engine = 'auto', rounds = '3', way] = process.argv.slice(2);
if (way !== undefined) await trainOnce(engine as 'auto' | EngineName, way as keyof typeof WAYS);
else {
  const found = Object.keys(WAYS).map((name) => ({ name, peaks: [] as number[], seconds: [] as number[] }));
  for (let round = 0; round < Number(rounds); round++) {
    for (const { name, peaks, seconds } of found) {
      const words = [fileURLToPath(import.meta.url), engine, rounds, name];
      const output = execFileSync(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
      const [peak, second] = JSON.parse(output.toString()) as number[];
      peaks.push(peak);
      seconds.push(second);
    }
  }
  const [kept] = found;
  const rows = found.map(({ name, peaks, seconds }) => [
    name,
    median(peaks).toFixed(0),
    median(peaks.map((peak, i) => peak / kept.peaks[i])).toFixed(2),
    median(seconds).toFixed(2),
    median(seconds.map((second, i) => second / kept.seconds[i])).toFixed(2),
  ]);
  process.stdout.write(`${renderTable(['blocks', 'peak MiB', '× kept', 's of CPU a step', '× kept'], rows)}\n`);
}
