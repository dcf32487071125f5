import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { readEvents } from 'tensorboard-writer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPredictions } from '#captions/formats';
import { type Evaluation, ROWS } from '#evaluation';
import { readJson, sha256 } from '#src/storage';
import { listEventFiles, readMetrics } from '#src/tracking';
import { findCheckpoint, MANIFEST } from '#src/training';
import { writeMiniPipeline } from '../support/miniPipeline.js';
import { type Outcome, refusal, startTokenfuse, tokenfuse } from '../support/tokenfuse.js';

/** Of all stages that run at a time. */
const THREADS = availableParallelism();

const RUNS = ['vision', 'language', 'align', 'align-all'];

let folder: string;
let pipeline: string;
/** A pipeline that ran through, and what it said under --json. */
let whole: string;
let outcome: Outcome;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
  pipeline = writeMiniPipeline(join(folder, 'experiments'));
  whole = join(folder, 'whole');
  outcome = await tokenfuse(runWords('whole', '--json', '--threads', String(THREADS)), folder);
  if (outcome.code !== 0) throw new Error(outcome.stderr);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function runWords(out: string, ...more: string[]): string[] {
  return ['run', pipeline, '--out', out, '--engine', 'wasm', '--upper-bound', ...more];
}

/** SHA-256 of every checkpoint and every set of metrics of a pipeline, by name. */
function fingerprints(outDir: string): Record<string, string> {
  const paths = RUNS.flatMap((run) => {
    const best = findCheckpoint(join(outDir, run));
    const last = findCheckpoint(join(outDir, run), 'last');
    const files = ['model.safetensors', 'model.json', 'optimizer.safetensors', 'state.json'];
    return [
      [`${run}/metrics.jsonl`, join(outDir, run, 'metrics.jsonl')],
      ...files.map((name) => [`${run}/best/${name}`, join(best, name)]),
      ...files.map((name) => [`${run}/last/${name}`, join(last, name)]),
    ];
  });
  const merged = ['model.safetensors', 'model.json', 'merge_report.json', 'tokenizer.json'];
  paths.push(...merged.map((name) => [`merged/${name}`, join(outDir, 'merged', name)]));
  const predictions = readdirSync(join(outDir, 'evaluation', 'predictions'), { recursive: true }) as string[];
  for (const name of predictions.filter((file) => file.endsWith('.json')).sort()) {
    paths.push([`predictions/${name}`, join(outDir, 'evaluation', 'predictions', name)]);
  }
  return Object.fromEntries(paths.map(([name, path]) => [name, sha256(readFileSync(path))]));
}

function summary(outDir: string): { sets: unknown; parameters: unknown; checks: unknown } {
  const { sets, parameters, checks } = readJson(join(outDir, 'summary.json'), 'summary') as ReturnType<typeof summary>;
  return { sets, parameters, checks };
}

/** Starts the pipeline and kills it, children and all, as soon as `path` is there. */
async function killOnceThereIs(path: string, out: string): Promise<void> {
  const child = startTokenfuse(runWords(out), folder, true);
  const exit = once(child, 'exit');
  while (!existsSync(path) && child.exitCode === null) await setTimeout(2);
  process.kill(-child.pid!, 'SIGKILL');
  expect(await exit).toEqual([null, 'SIGKILL']);
}

describe('tokenfuse run', () => {
  it('ends well and prints one JSON object on stdout, everything else on stderr', () => {
    expect(outcome.stdout.trimEnd()).not.toContain('\n');
    const printed = JSON.parse(outcome.stdout);
    expect(printed).toMatchObject(summary(whole));
    expect(printed.checks.map(({ passed }: { passed: boolean }) => passed)).toEqual(printed.checks.map(() => true));
    expect(printed.checks).toHaveLength(4);
    expect(printed.parameters.trained).toBe(printed.parameters.fusion);
    expect(outcome.stderr).not.toMatch(/^tokenfuse: /m);
    for (const stage of ['scenes', 'tokenizer', 'vision', 'language', 'merge', 'align', 'align-all', 'evaluate']) {
      expect(outcome.stderr).toMatch(new RegExp(`^${stage} +done in \\d+ s, peak \\d+ MiB$`, 'm'));
    }
  });

  it('gives each of the stages that run side by side its part of --threads', () => {
    const part = Math.max(1, Math.floor(THREADS / 2));
    for (const stage of ['vision', 'language', 'align', 'align-all']) {
      expect(outcome.stderr).toMatch(new RegExp(`^${stage} +--threads ${part} has no effect: .* this is wasm$`, 'm'));
    }
  });

  it('trains the upper bound with its own changes, and the bridge without them', () => {
    const rate = (run: string): unknown =>
      (readJson(join(whole, run, 'config.json'), 'config') as { training: { learningRate: number } }).training
        .learningRate;
    expect([rate('align'), rate('align-all')]).toEqual([0.01, 0.005]);
  });

  it('refuses a wrong --threads before any stage runs', async () => {
    expect(await refusal(runWords('refused', '--threads', '0'), folder, 2)).toContain('--threads: expected');
    expect(existsSync(join(folder, 'refused'))).toBe(false);
  });

  it('evaluates both sets with every control', () => {
    const { sets } = readJson(join(whole, 'evaluation', 'evaluation.json'), 'evaluation') as Evaluation;
    expect(sets.map(({ name, numImages }) => [name, numImages])).toEqual([
      ['seen', 6],
      ['held-out', 5],
    ]);
    for (const { rows } of sets)
      expect(rows.map(({ name }) => name)).toEqual(Object.values(ROWS).map(({ name }) => name));
  });

  it('gives the same again elsewhere, killed twice on the way', { timeout: 120_000 }, async () => {
    const killed = join(folder, 'killed');
    await killOnceThereIs(join(killed, 'language', 'checkpoints', 'last.json'), 'killed');
    await killOnceThereIs(join(killed, 'align', 'checkpoints', 'last.json'), 'killed');
    expect(existsSync(join(killed, 'summary.json'))).toBe(false);
    const { code, stderr } = await tokenfuse(runWords('killed'), folder);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(fingerprints(killed)).toEqual(fingerprints(whole));
    expect(summary(killed)).toEqual(summary(whole));
  });

  it('takes its stages with it when it alone is killed', { timeout: 60_000 }, async () => {
    const endless = writeMiniPipeline(join(folder, 'endless'), 1_000_000);
    const child = startTokenfuse(['run', endless, '--out', 'orphans', '--engine', 'wasm'], folder);
    const exit = once(child, 'exit');
    const metrics = join(folder, 'orphans', 'language', 'metrics.jsonl');
    const size = (): number => statSync(metrics, { throwIfNoEntry: false })?.size ?? 0;
    while (size() < 1000) await setTimeout(10);
    child.kill('SIGKILL');
    await exit;
    await setTimeout(1500);
    const after = size();
    await setTimeout(1000);
    expect(size()).toBe(after);
  });

  it('keeps what is complete when it is run again', { timeout: 120_000 }, async () => {
    const before = fingerprints(whole);
    const { code, stdout } = await tokenfuse(runWords('whole'), folder);
    expect(code, stdout).toBe(0);
    expect(stdout).toContain('is complete');
    expect(fingerprints(whole)).toEqual(before);
  });

  it('runs one stage alone, on what the others left', { timeout: 60_000 }, async () => {
    const words = ['run', pipeline, '--out', 'whole', '--engine', 'wasm', '--only', 'evaluate'];
    const changed = [...words, '--set', 'evaluate.seed=6', '--json'];
    expect(await refusal(changed, folder, 2)).toMatch(/evaluation: was made with other settings .* give --overwrite/);
    const { code, stdout, stderr } = await tokenfuse([...changed, '--overwrite'], folder);
    expect(code, stderr).toBe(0);
    expect(Object.keys(JSON.parse(stdout).stages)).toEqual(['evaluate']);
    expect(stderr).toMatch(/^evaluate +done in/m);
    expect(stderr).not.toMatch(/^align/m);
    const { seed } = readJson(join(whole, 'evaluation', 'config.json'), 'config') as { seed: number };
    expect(seed).toBe(6);
  });

  it('names the stage whose output is missing, before anything runs', async () => {
    const words = ['run', pipeline, '--out', 'nothing', '--only', 'align'];
    expect(await refusal(words, folder, 2)).toMatch(
      /stage 'align' needs stage 'scenes', which is not complete with these settings in .*nothing.data; repeat the --set options it was run with, run it first, or add it: --only scenes,align$/,
    );
    expect(existsSync(join(folder, 'nothing'))).toBe(false);
  });

  it('refuses to run a stage that there is not, and to change one', async () => {
    const words = ['run', pipeline, '--out', 'nothing'];
    expect(await refusal([...words, '--only', 'algin'], folder, 2)).toContain(
      "--only: expected scenes, tokenizer, vision, language, merge, align, evaluate; got 'algin' (did you mean 'align'?)",
    );
    expect(await refusal([...words, '--set', 'align.training.stepz=3'], folder, 2)).toContain(
      "unknown key 'training.stepz'",
    );
  });

  it('refuses another recipe than the one that its model was merged by', { timeout: 60_000 }, async () => {
    const recipe = join(folder, 'experiments', 'merge.yaml');
    const before = readFileSync(recipe, 'utf8');
    writeFileSync(recipe, before.replace('tokens: 4', 'tokens: 5'));
    try {
      expect(await refusal(runWords('whole'), folder, 2)).toContain('merged: was made with other settings than');
    } finally {
      writeFileSync(recipe, before);
    }
  });

  it('refuses to align backbones and all, before anything runs', async () => {
    const words = runWords('all');
    const align = join(folder, 'experiments', 'align.yaml');
    const before = readFileSync(align, 'utf8');
    writeFileSync(align, `${before}train: all\n`);
    try {
      expect(await refusal(words, folder, 2)).toContain("expected bridge groups, got 'all'; --upper-bound");
      expect(existsSync(join(folder, 'all'))).toBe(false);
    } finally {
      writeFileSync(align, before);
    }
  });

  it('shows it all on one page that needs nothing else', () => {
    const html = readFileSync(join(whole, 'report.html'), 'utf8');
    // Counted and listed, since a failed match would print the whole page.
    expect(html.slice(0, 15).toLowerCase()).toBe('<!doctype html>');
    expect(html.match(/<link|<script[^>]+src=|@import|url\((?!['"]?(data:|#))[^)]*/gi) ?? []).toEqual([]);
    const sources = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, source]) => source);
    expect(sources.filter((source) => !/^(data:|#)/.test(source))).toEqual([]);
    expect(sources.filter((source) => source.startsWith('data:image/')).length).toBeGreaterThan(10);
    const missing = ['mini', 'held-out', ROWS.blind.name, 'imageBridge'].filter((text) => !html.includes(text));
    expect(missing).toEqual([]);
    // The page may be sent to others: beyond the command itself it names no folder of this machine.
    expect(html.includes(whole)).toBe(false);
  });

  for (const run of RUNS) {
    it(`writes an event file that holds what metrics.jsonl holds: ${run}`, () => {
      const files = listEventFiles(join(whole, run, 'events'));
      const events = files.flatMap((file) => readEvents(file));
      // Histograms, captions and what is of the whole run are in the event file alone.
      const read = events.flatMap(({ step, values }) => {
        const scalars = values.flatMap((value) =>
          value.kind === 'scalar' && !value.tag.startsWith('best/') ? [[value.tag, value.value] as const] : [],
        );
        return scalars.length === 0 ? [] : [{ step, values: Object.fromEntries(scalars) }];
      });
      const metrics = readMetrics(join(whole, run));
      expect(read).toEqual(metrics.map(({ step, values }) => ({ step, values })));
      expect(metrics.length).toBeGreaterThan(20);
    });
  }
});

describe('commands on a finished pipeline', () => {
  it('caption says of a file what evaluate said of it', async () => {
    const captions = join('whole', 'data', 'test_seen', 'captions.json');
    const { code, stdout, stderr } = await tokenfuse(
      ['caption', 'whole/align', captions, '--max-tokens', '12', '--out', 'out.json', '--json'],
      folder,
    );
    expect(code, stderr).toBe(0);
    const expected = readPredictions(join(whole, 'evaluation', 'predictions', 'seen', 'model.json'));
    expect(readPredictions(join(folder, 'out.json'))).toEqual(expected);
    expect(JSON.parse(stdout)).toMatchObject({ images: expected.size, out: join(folder, 'out.json') });
  });

  it('caption takes a folder of images, and prints a line of each or all as one object', async () => {
    const words = ['caption', 'whole/align', 'whole/data/test_heldout/images'];
    const { code, stdout } = await tokenfuse(words, folder);
    expect(code).toBe(0);
    const lines = [...stdout.matchAll(/^(\d{6}\.png) {2}(.*)$/gm)].map(([, file, caption]) => [file, caption]);
    expect(lines).toHaveLength(5);
    const { predictions } = JSON.parse((await tokenfuse([...words, '--json'], folder)).stdout) as {
      predictions: { file_name: string; caption: string }[];
    };
    expect(predictions.map(({ file_name, caption }) => [file_name, caption])).toEqual(lines);
  });

  it('unmerge takes both trained backbones out of the aligned model, byte by byte', async () => {
    const { code } = await tokenfuse(['unmerge', 'whole/align', 'apart'], folder);
    expect(code).toBe(0);
    for (const room of ['vision', 'language']) {
      const [before, after] = [findCheckpoint(join(whole, room)), join(folder, 'apart', room)];
      // The manifest of a run's checkpoint names its optimizer too.
      for (const name of readdirSync(after).filter((file) => file !== MANIFEST)) {
        expect(readFileSync(join(after, name)).equals(readFileSync(join(before, name))), `${room}/${name}`).toBe(true);
      }
      expect(readdirSync(after)).toContain('model.safetensors');
    }
  });

  it('merge --dry-run lists the plan and writes nothing', async () => {
    const recipe = join(folder, 'experiments', 'merge.yaml');
    const words = ['merge', recipe, '--root', 'whole', '--out', 'planned', '--dry-run', '--json'];
    const { code, stdout } = await tokenfuse(words, folder);
    expect(code).toBe(0);
    const plan = JSON.parse(stdout);
    expect(plan).toMatchObject({ dryRun: true, problems: [], gates: [] });
    expect(plan.groups).toHaveLength(2 * 5 + 6);
    expect(plan.parameters.fusion).toBe(6 * 4 * 2 * 16);
    expect(existsSync(join(folder, 'planned'))).toBe(false);
  });

  it('merge --dry-run shows the plan where a model is already, and warns', async () => {
    const recipe = join(folder, 'experiments', 'merge.yaml');
    const { code, stdout } = await tokenfuse(['merge', recipe, '--root', 'whole', '--dry-run'], folder);
    expect(code).toBe(0);
    expect(stdout).toContain('imageBridge');
    expect(stdout).toMatch(/^warning: .*merged: expected a new or empty place, got a model; choose another place/m);
  });

  it('merge reports two wrong things in two lines', async () => {
    const recipe = join(folder, 'experiments', 'merge.yaml');
    const { code, stderr } = await tokenfuse(['merge', recipe, '--root', '.', '--dry-run'], folder);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^tokenfuse: vision: cannot find [^\n]+\ntokenfuse: language: cannot find [^\n]+\n$/);
  });

  it('generate continues a text with the language backbone', async () => {
    const words = ['generate', 'whole/language', 'a small', '--max-tokens', '3', '--json'];
    const { code, stdout } = await tokenfuse(words, folder);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).prompt).toBe('a small');
    expect(await tokenfuse(words, folder)).toMatchObject({ code: 0 });
  });
});
