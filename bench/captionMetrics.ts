/**
 * @file `npm run bench:metrics`: time and memory of scoring captions, 1,000 resamples included, over the number of
 * images. Each size has a process of its own, so that its peak memory is its own.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { captionDiagnostics, captionIntervals, captionStatistics, scoresOf } from '#captions/metrics';
import { renderTable } from '#src/cli';
import { createRandom } from '#src/random';

const SIZES = [1000, 5000, 20_000];
const NUM_REFERENCES = 5;

/** Made-up words, the first ones the most frequent, as in a language. */
const SYLLABLES = ['ba', 'de', 'fi', 'go', 'lu', 'ma', 'ne', 'ri', 'so', 'tu', 'va', 'wen', 'do', 'ki', 'per', 'ran'];
const WORDS = SYLLABLES.flatMap((a) => SYLLABLES.flatMap((b) => SYLLABLES.map((c) => a + b + c)));

/** A caption of 8 to 14 words as people write them: some with a capital and a full stop, a comma or a possessive. */
function captionWriter(seed: number): () => string {
  const random = createRandom(seed, 'bench captions');
  const word = (): string => WORDS[Math.floor(WORDS.length * random.uniform() ** 3)];
  return () => {
    const words = Array.from({ length: 8 + random.integer(7) }, word).join(' ');
    const kind = random.uniform();
    if (kind < 0.5) return `${words[0].toUpperCase()}${words.slice(1)}.`;
    return kind < 0.6 ? `${words}, the ${word()}'s ${word()}` : words;
  };
}

/** Scores one set and prints its seconds and peak memory. */
function scoreOnce(numImages: number): void {
  const write = captionWriter(0);
  const ids = Array.from({ length: numImages }, (_, id) => id);
  const predictions = new Map(ids.map((id) => [id, write()]));
  const references = new Map(ids.map((id) => [id, Array.from({ length: NUM_REFERENCES }, write)]));
  const started = performance.now();
  const cpuStarted = process.cpuUsage();
  const statistics = captionStatistics(predictions, references);
  scoresOf(statistics);
  captionIntervals(statistics, { seed: 0 });
  captionDiagnostics(predictions, references);
  const { user, system } = process.cpuUsage(cpuStarted);
  const wall = (performance.now() - started) / 1000;
  process.stdout.write(JSON.stringify([wall, (user + system) / 1e6, process.resourceUsage().maxRSS / 1024]));
}

const [size] = process.argv.slice(2);
if (size !== undefined) {
  scoreOnce(Number(size));
} else {
  const rows = SIZES.map((numImages) => {
    const output = execFileSync(process.execPath, [fileURLToPath(import.meta.url), String(numImages)]);
    const [wall, processor, peak] = JSON.parse(output.toString()) as [number, number, number];
    const count = (n: number): string => n.toLocaleString('en-US');
    const figures = [
      wall.toFixed(1),
      processor.toFixed(1),
      ((1000 * processor) / numImages).toFixed(2),
      peak.toFixed(0),
    ];
    return [count(numImages), count(NUM_REFERENCES * numImages), ...figures];
  });
  process.stdout.write(
    `${renderTable(['images', 'references', 'seconds', 'processor s', 'ms an image', 'peak MiB'], rows)}\n`,
  );
}
