import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listRuns, runTable } from '#comparison';
import { takeLock } from '#src/storage';
import { folderContent } from '../support/folderContent.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { refusal, tokenfuse } from '../support/tokenfuse.js';
import { writeEvaluationOf, writeRun } from '../support/writtenRun.js';

const ALL = { sort: 'name', reverse: false };
const none = (line: string): never => {
  throw new Error(`no line expected, got: ${line}`);
};
const statesIn = (folder: string, note: (line: string) => void = none) =>
  Object.fromEntries(
    listRuns([folder], ALL, note).map(({ summary }) => [summary.path.slice(folder.length + 1), summary.state]),
  );

describe('the list of runs', () => {
  it('has runs wherever below the folder, with what they came to', () => {
    const folder = temporaryFolder();
    writeRun(join(folder, 'deep/er/one'), { seed: 3 });
    writeRun(join(folder, 'cache/not'), {});
    mkdirSync(join(folder, 'model'));
    writeFileSync(join(folder, 'model/config.json'), '{"model_type":"bert"}');
    const [{ summary }, ...others] = listRuns([folder], ALL, none);
    expect(others).toEqual([]);
    expect(summary).toMatchObject({
      ...{ path: join(folder, 'deep/er/one'), name: 'tiny', kind: 'language', state: 'finished', step: 20, steps: 20 },
      ...{ metric: 'validation/loss', best: 1.3, bestStep: 20, last: 1.3, lastStep: 20, seed: 3, engine: 'cpu' },
    });
    expect(summary.bytes).toBeGreaterThan(500);
  });

  it('tells running, finished, interrupted and failed runs apart', () => {
    const folder = temporaryFolder();
    writeRun(join(folder, 'done'));
    writeRun(join(folder, 'out-of-patience'), { step: 10, training: { patience: 1 } });
    writeFileSync(
      join(folder, 'out-of-patience/checkpoints/step-0000010/state.json'),
      JSON.stringify({ step: 10, bestStep: 0, bestValue: 1 }),
    );
    writeRun(join(folder, 'half'), { step: 10 });
    writeRun(join(folder, 'no-checkpoint'), { step: null });
    writeRun(join(folder, 'broken'), { step: 10 });
    writeFileSync(join(folder, 'broken/failure.json'), JSON.stringify({ message: 'the loss is NaN', time: '' }));
    writeRun(join(folder, 'at-work'), { step: 10 });
    const lock = takeLock(join(folder, 'at-work/.lock'), 'test');
    writeRun(join(folder, 'killed'), { step: 10 });
    // A process that has ended, as a kill leaves it.
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const owner = JSON.parse(execFileSync('cat', [join(folder, 'at-work/.lock')], { encoding: 'utf8' }));
    writeFileSync(join(folder, 'killed/.lock'), JSON.stringify({ ...owner, pid }));
    const listed = listRuns([folder], ALL, none);
    expect(statesIn(folder)).toEqual({
      ...{ done: 'finished', 'out-of-patience': 'finished', half: 'interrupted', 'no-checkpoint': 'interrupted' },
      ...{ broken: 'failed', 'at-work': 'running', killed: 'interrupted' },
    });
    const noteOf = (name: string) => listed.find(({ summary }) => summary.path.endsWith(name))?.summary.note;
    expect(noteOf('at-work')).toContain(`process ${process.pid}`);
    expect(noteOf('broken')).toBe('the loss is NaN');
    lock.release();
    expect(statesIn(folder)['at-work']).toBe('interrupted');
  });

  it('knows evaluations, pipelines, studies and their cells', () => {
    const folder = temporaryFolder();
    writeEvaluationOf(join(folder, 'pipe/scores'), ['a'], ['a']);
    writeFileSync(join(folder, 'pipe/summary.json'), '{"passed":true}');
    writeFileSync(join(folder, 'pipe/report.html'), '');
    mkdirSync(join(folder, 'study/cache'), { recursive: true });
    writeFileSync(join(folder, 'study/results.md'), '');
    mkdirSync(join(folder, 'study/seed-1/row'), { recursive: true });
    writeFileSync(join(folder, 'study/seed-1/row/record.json'), '{"settings":{"seed":1}}');
    const kinds = listRuns([folder], ALL, none).map(({ summary }) => `${summary.kind} ${summary.state}`);
    expect(kinds).toEqual(['pipeline finished', 'evaluate finished', 'study finished', 'cell finished']);
  });

  it('filters and sorts', () => {
    const folder = temporaryFolder();
    writeRun(join(folder, 'a'), { seed: 3, training: { learningRate: 0.1 } });
    writeRun(join(folder, 'b'), { seed: 1, kind: 'vision', step: 10 });
    writeRun(join(folder, 'c'), { seed: 2, step: null });
    const names = (options: object) =>
      listRuns([folder], { ...ALL, ...options }, none).map(({ summary }) => summary.path.at(-1));
    expect(names({ kinds: 'vision,align' })).toEqual(['b']);
    expect(names({ states: 'interrupted' })).toEqual(['b', 'c']);
    expect(names({ where: ['training.learningRate=0.1'] })).toEqual(['a']);
    expect(names({ where: ['seed>=2', 'seed<3'] })).toEqual(['c']);
    expect(names({ where: ['training.learningRate!=0.1'] })).toEqual(['b', 'c']);
    expect(names({ sort: 'best' })).toEqual(['b', 'a', 'c']);
    expect(names({ sort: 'best', reverse: true })).toEqual(['a', 'b', 'c']);
  });

  it('refuses words that it does not know, in one line', async () => {
    const folder = temporaryFolder();
    const line = (...words: string[]) => refusal(['runs', folder, ...words], folder, 2);
    expect(await line('--kind', 'visoin')).toContain("did you mean 'vision'?");
    expect(await line('--state', 'done')).toContain('expected running, finished, interrupted, failed');
    expect(await line('--sort', 'bset')).toContain("did you mean 'best'?");
    expect(await line('--where', 'seed')).toContain('--where: expected key=value');
    expect(await line('--where', 'seed<x')).toContain('expected a number');
    expect(await refusal(['runs', 'missing'], folder, 2)).toContain('missing: expected a folder with runs');
  });

  it('fits 80 columns and cuts no path that does', () => {
    const folder = temporaryFolder();
    const long = 'a-rather-long-name-of-an-experiment-with-many-words';
    writeRun(join(folder, long), { engine: 'native' });
    writeRun(join(folder, 'b'), { engine: 'cuda', step: 10 });
    const table = runTable(
      listRuns([folder], ALL, none).map(({ summary }) => ({ ...summary, path: summary.path.slice(folder.length + 1) })),
    );
    for (const line of table.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(table).toContain(long);
    expect(table).toMatch(/all: commit 0123456$/);
  });

  it('gives all of it under --json', async () => {
    const folder = temporaryFolder();
    writeRun(join(folder, 'runs/one'));
    const { stdout, code } = await tokenfuse(['runs', '--json'], folder);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).runs).toMatchObject([{ path: 'runs/one', state: 'finished', best: 1.1 }]);
  });
});

const FILES = [
  ...['config.json', 'provenance.json', 'metrics.jsonl', 'timing.jsonl', 'failure.json', '.lock'],
  ...['checkpoints/last.json', 'checkpoints/step-0000020/state.json'],
];
const DEEP = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;

describe('files of runs that are not what they should be', () => {
  it('give one line each and never end the list', () => {
    const content = fc.oneof(
      fc.constantFrom('', '{', 'null', '[]', '"x"', '{"kind":"vision","training":null}', '{"step":-1}', DEEP),
      fc.constantFrom(
        '{"directory":"../../../etc"}',
        '{"directory":"step-1","manifest":3}',
        '{"__proto__":{"kind":"vision"}}',
      ),
      fc.json().map((text) => text),
      fc.string(),
      fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.constantFrom(...FILES), content, (name, bytes) => {
        const folder = temporaryFolder();
        const path = join(writeRun(join(folder, 'one')), name);
        writeRun(join(folder, 'two'));
        writeFileSync(path, bytes);
        const before = folderContent(folder);
        const lines: string[] = [];
        const listed = listRuns([folder], ALL, (line) => lines.push(line));
        expect(listed.map(({ summary }) => summary.path)).toContain(join(folder, 'two'));
        expect(listed).toHaveLength(2);
        runTable(listed.map(({ summary }) => summary));
        for (const line of lines) expect(line.length).toBeLessThan(600);
        expect(lines.filter((line) => line.includes('\n'))).toEqual([]);
        expect(folderContent(folder)).toEqual(before);
        rmSync(folder, { recursive: true });
      }),
      { numRuns: 150 },
    );
  });

  it('may be folders, pipes, links in a circle and links to nothing', () => {
    for (const name of FILES) {
      const folder = temporaryFolder();
      for (const [run, make] of [
        ['folder', (path: string) => mkdirSync(path)],
        ['pipe', (path: string) => execFileSync('mkfifo', [path])],
        ['circle', (path: string) => symlinkSync(path, path)],
        ['nothing', (path: string) => symlinkSync('/nowhere/at/all', path)],
      ] as const) {
        const path = join(writeRun(join(folder, run)), name);
        rmSync(path, { force: true });
        make(path);
      }
      symlinkSync(folder, join(folder, 'circle-of-folders'));
      const lines: string[] = [];
      const listed = listRuns([folder], ALL, (line) => lines.push(line));
      expect(listed, name).toHaveLength(4);
      expect(lines.length, name).toBeLessThanOrEqual(4);
    }
  });

  it('change nothing: no file, no time', async () => {
    const folder = temporaryFolder();
    writeRun(join(folder, 'runs/one'));
    writeRun(join(folder, 'runs/two'), { seed: 2 });
    writeEvaluationOf(join(folder, 'runs/three'), ['a dog', 'a cat'], ['a dog', 'a cat']);
    writeEvaluationOf(join(folder, 'runs/four'), ['a dog', 'a dog'], ['a dog', 'a cat']);
    const before = folderContent(join(folder, 'runs'));
    for (const words of [
      ['runs'],
      ['runs', 'compare', 'runs', '--out', 'page.html'],
      ['runs', 'sql', 'select count(*) from metrics, timing, config, scores, runs'],
    ]) {
      const { code, stderr } = await tokenfuse(words, folder);
      expect(code, stderr).toBe(0);
    }
    expect(folderContent(join(folder, 'runs'))).toEqual(before);
  });
});

describe('a thousand runs', () => {
  it('are listed in two seconds', () => {
    const folder = temporaryFolder();
    const lines = Array.from({ length: 2000 }, (_, step) => ({
      step,
      'train/loss': 1 / (step + 1),
      'train/gradientNorm': 1,
    }));
    for (let i = 0; i < 1000; i++) writeRun(join(folder, `run-${i}`), { seed: i, ...(i % 50 === 0 && { lines }) });
    const before = process.cpuUsage();
    const listed = listRuns([folder], ALL, none);
    const { user, system } = process.cpuUsage(before);
    // Of the processor: other tests run beside this one.
    const seconds = (user + system) / 1e6;
    expect(listed).toHaveLength(1000);
    expect(seconds, `${seconds.toFixed(2)} s`).toBeLessThan(2);
  });
});
