/**
 * @file `npm run bench:captions [-- captions]`: caption scores beside pycocoevalcap's own, from its PTB tokenizer to SPICE, on 1,000 images
 * with their captions. `captions` is any source that `tokenfuse score` takes as references; without it, sentences are made up. The first
 * caption of an image is its prediction; where it has only one, the next image's is.
 *
 * Needs bench/peers/setup.sh and java; SPICE needs Java 8 to 14, because it asks for a JavaScript engine. `METRICS=METEOR` leaves out SPICE, which takes minutes; `IMAGES=200` takes fewer images.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { captionSourceArgument, captionsById, loadCaptions } from '#captions/formats';
import type { CaptionSet } from '#captions/metrics';
import { scoreReport } from '#captions/scoring';
import { ptbTokenize } from '#captions/tokenization';
import { renderTable } from '#src/cli';
import { UserError } from '#src/errors';
import { readJson } from '#src/storage';
import { benchPath } from './benchFolder.js';
import { captionSentences } from './captionSentences.js';

const NUM_IMAGES = Number(process.env.IMAGES ?? 1000);
const METRICS = (process.env.METRICS ?? 'METEOR,SPICE').split(',');
const SEED = 7;
/** Of those that differ, so many are shown. */
const SHOWN = 20;
/** Scores of the same captions that are further apart than rounding. */
const DIFFERS = 1e-9;

interface PeerScores {
  readonly version: string;
  /** By caption. */
  readonly tokens: Readonly<Record<string, string>>;
  /** Images in ascending order of their ids. */
  readonly scores: Readonly<Record<string, { readonly corpus: number; readonly perImage: readonly (number | null)[] }>>;
  readonly skipped: readonly string[];
}

const captions = captionsOf(process.argv[2]);
const images = [...captions].sort(([a], [b]) => a - b).slice(0, NUM_IMAGES);
const asked = images.map(([id, own], i) => {
  const [prediction, ...references] = own.length > 1 ? own : [images[(i + 1) % images.length][1][0], ...own];
  return { id, prediction, references };
});
const python = join(process.env.PEERS ?? benchPath('peers/.venv'), 'bin/python');
if (!existsSync(python)) throw new UserError(`${python}: no such file; run \`bash bench/peers/setup.sh\``);
const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-captions-'));
// Java reads and writes text as the locale says.
process.env.LC_ALL = 'C.UTF-8';
try {
  const [given, out] = [join(folder, 'captions.json'), join(folder, 'scores.json')];
  writeFileSync(given, JSON.stringify(asked));
  execFileSync(python, [benchPath('peers/captionMetrics.py'), given, out, ...METRICS], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await compare(readJson(out, "pycocoevalcap's scores") as PeerScores);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function captionsOf(source: string | undefined): CaptionSet {
  if (source !== undefined) return captionsById(loadCaptions(captionSourceArgument(source), { note: say }));
  const write = captionSentences(SEED);
  return new Map(Array.from({ length: NUM_IMAGES }, (_, id) => [id, [write(), write(), write()]]));
}

async function compare({ version, tokens, scores, skipped }: PeerScores): Promise<void> {
  const jars = dirname(pythonModule('pycocoevalcap'));
  const jar = (metric: string, path: string) => (scores[metric] ? { jar: join(jars, path) } : undefined);
  const report = await scoreReport(
    new Map(asked.map(({ id, prediction }) => [id, prediction])),
    new Map(asked.map(({ id, references }) => [id, references])),
    {
      resampling: { seed: SEED, samples: 1 },
      meteor: jar('meteor', 'meteor/meteor-1.5.jar'),
      spice: jar('spice', 'spice/spice-1.0.jar'),
    },
  );
  const texts = Object.keys(tokens);
  say(`${asked.length} images, ${texts.length} different captions; pycocoevalcap ${version}`);
  for (const line of skipped) say(line);

  const otherTokens = texts.filter((text) => ptbTokenize(text) !== tokens[text]);
  say(`\ncaptions whose tokens differ: ${otherTokens.length} of ${texts.length}`);
  for (const text of otherTokens.slice(0, SHOWN)) {
    say(`  ${JSON.stringify(text)}\n    ours   ${ptbTokenize(text)}\n    theirs ${tokens[text]}`);
  }

  const rows = Object.entries(scores).map(([metric, theirs]) => {
    const name = metric as keyof typeof report.scores;
    const ours = report.perImage.map((image) => image[name] ?? Number.NaN);
    const differences = ours.map((score, i) => distance(score, theirs.perImage[i] ?? Number.NaN));
    const unlike = differences.filter((difference) => difference > DIFFERS).length;
    const corpus = [report.scores[name]?.score ?? Number.NaN, theirs.corpus];
    return [
      metric,
      ...corpus.map((score) => score.toFixed(6)),
      String(unlike),
      Math.max(...differences).toExponential(1),
    ];
  });
  say(`\n${renderTable(['score', 'ours', 'pycocoevalcap', 'images that differ', 'at most by'], rows)}`);
  const likeMeteor = report.scores.meteorExactStem?.score.toFixed(6);
  if (scores.meteor) say(`METEOR-like, which needs no jar: ${likeMeteor}`);
}

/** |a − b|; a caption that SPICE finds nothing in has no score, which both sides must say. */
function distance(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Object.is(a, b) ? 0 : Number.POSITIVE_INFINITY;
  return Math.abs(a - b);
}

/** The file of a Python module's __init__. */
function pythonModule(name: string): string {
  const program = `import ${name}; print(list(${name}.__path__)[0] + '/__init__.py')`;
  return execFileSync(python, ['-c', program], { encoding: 'utf8' }).trim();
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
