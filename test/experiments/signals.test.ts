import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCheckpoint } from '#src/training';
import { writeMiniPipeline } from '../support/miniPipeline.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { startTokenfuse, tokenfuse, writeExperiment } from '../support/tokenfuse.js';

const ENGINE = ['--engine', 'cpu'];
const stack = {
  ...{ dModel: 8, numLayers: 1, numHeads: 1, rotaryShare: 0.5 },
  ...{ qkvParamTokens: 4, outputParamTokens: 4, ffnParamTokens: 4 },
};

/** Text, a tokenizer and the experiment of a tiny language model. */
async function fillLanguageFolder(folder: string, steps: number): Promise<void> {
  writeFileSync(join(folder, 'text.txt'), 'a red ball\ntwo dogs run\none green tree\na blue ring\n'.repeat(5));
  await tokenfuse(['tokenizer', 'train', 'text.txt', '--vocab-size', '264', '--out', 'tok.json'], folder);
  writeExperiment(folder, {
    ...{ kind: 'language', name: 'language', seed: 1, model: { stack } },
    tokenizer: { kind: 'bpe', path: 'tok.json' },
    data: { files: ['text.txt'], documents: 'line', layout: 'documents', seqLen: 16, validationShare: 0.3 },
    training: { steps, batchSize: 2, learningRate: 0.01, logEvery: 1, evaluateEvery: 10, checkpointEvery: 1000 },
  });
}

/** What a process said and how it ended. */
function watched(process: ChildProcess) {
  const text = { stdout: '', stderr: '' };
  process.stdout?.on('data', (chunk) => {
    text.stdout += chunk;
  });
  process.stderr?.on('data', (chunk) => {
    text.stderr += chunk;
  });
  const ended = once(process, 'close').then(([code, signal]) => ({ code, signal, ...text }));
  return { process, text, ended };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (condition()) return;
    await setTimeout(20);
  }
  throw new Error(`waited a minute for ${what}`);
}

const lines = (path: string): number => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0);

const bytesOf = (runDir: string): Record<string, string> => {
  const checkpoint = findCheckpoint(runDir, 'last');
  const names = readdirSync(checkpoint).map((name) => join(checkpoint, name));
  return Object.fromEntries(
    [...names, join(runDir, 'metrics.jsonl')].map((path) => [
      path.slice(runDir.length),
      readFileSync(path).toString('hex'),
    ]),
  );
};

describe('a run that trains', { timeout: 120_000 }, () => {
  let unbroken: string;
  beforeAll(async () => {
    unbroken = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
    await fillLanguageFolder(unbroken, 30);
    const { code } = await tokenfuse(['train', 'language.yaml', '--out', 'run', ...ENGINE], unbroken);
    expect(code).toBe(0);
  }, 120_000);
  afterAll(() => rmSync(unbroken, { recursive: true, force: true }));

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)(
    '%s: a checkpoint, the command to go on, exit code %i, and the same bytes in the end',
    async (signal, exitCode) => {
      const folder = temporaryFolder();
      cpSync(unbroken, folder, { recursive: true, filter: (path) => !/run$|\.tokenfuse$/.test(path) });
      const words = ['train', 'language.yaml', '--out', 'run', ...ENGINE];
      const run = watched(startTokenfuse(words, folder));
      await until(() => lines(join(folder, 'run/metrics.jsonl')) > 3, 'steps');
      run.process.kill(signal);
      const { code, stderr, stdout } = await run.ended;
      expect(code).toBe(exitCode);
      const step = new RegExp(
        `^tokenfuse: stopped by ${signal} after step (\\d+); go on with: tokenfuse train language.yaml --out run --engine cpu --resume\\n$`,
      ).exec(stderr)?.[1];
      expect(step, stderr).toBeDefined();
      expect(stdout).not.toContain('stopped');
      expect(findCheckpoint(join(folder, 'run'), 'last')).toContain(`step-${step?.padStart(7, '0')}`);
      expect((await tokenfuse([...words, '--resume'], folder)).code).toBe(0);
      expect(bytesOf(join(folder, 'run'))).toEqual(bytesOf(join(unbroken, 'run')));
    },
  );

  it('goes on when nobody reads its output any more', async () => {
    const folder = temporaryFolder();
    await fillLanguageFolder(folder, 6);
    const run = watched(startTokenfuse(['train', 'language.yaml', '--out', 'run', ...ENGINE], folder));
    run.process.stdout?.destroy();
    run.process.stderr?.destroy();
    expect((await run.ended).code).toBe(0);
    expect(findCheckpoint(join(folder, 'run'), 'last')).toContain('step-0000006');
  });
});

describe('other commands', { timeout: 60_000 }, () => {
  it('a signal ends a computation that never waits, and leaves nothing', async () => {
    const folder = temporaryFolder();
    // Words that are all different: half a minute of work on a fast machine.
    const words = Array.from({ length: 1_000_000 }, (_, i) => (i * 7919).toString(36).repeat(3));
    writeFileSync(join(folder, 'text.txt'), words.join(' '));
    const run = watched(
      startTokenfuse(['tokenizer', 'train', 'text.txt', '--vocab-size', '60000', '--out', 'tok.json'], folder),
    );
    // Shown from the fifth second on, whatever it is at then.
    await until(() => /^(reading|merging) .*\d+\/\d+ /m.test(run.text.stdout), 'its progress');
    run.process.kill('SIGTERM');
    const { code, stderr, stdout } = await run.ended;
    expect([code, stderr]).toEqual([143, 'tokenfuse: stopped by SIGTERM\n']);
    expect(stdout).not.toContain('written to');
    expect(readdirSync(folder)).toEqual(['text.txt']);
  });

  it('a result that cannot be written is a failure under --json', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'text.txt'), 'abc abc abc');
    const words = ['tokenizer', 'train', 'text.txt', '--vocab-size', '258', '--out'];
    const json = watched(startTokenfuse([...words, 'first.json', '--json'], folder));
    json.process.stdout?.destroy();
    const { code, stderr } = await json.ended;
    expect(code).toBe(1);
    expect(stderr).toContain('tokenfuse: cannot write the result to stdout: its reader has ended\n');
    const plain = watched(startTokenfuse([...words, 'second.json'], folder));
    plain.process.stdout?.destroy();
    expect(await plain.ended).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('a pipeline', { timeout: 240_000 }, () => {
  const words = [
    'run',
    'files/pipeline.yaml',
    '--root',
    'out',
    '--only',
    'scenes,tokenizer,vision,language',
    '--engine',
    'wasm',
  ];
  const folderWithFiles = (): string => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'files'));
    writeMiniPipeline(join(folder, 'files'), 30);
    return folder;
  };

  it('Ctrl-C, to all its processes: checkpoints, one line, and the same bytes in the end', async () => {
    const [folder, unbroken] = [folderWithFiles(), folderWithFiles()];
    const run = watched(startTokenfuse(words, folder, true));
    await until(() => lines(join(folder, 'out/language/metrics.jsonl')) > 2, 'training');
    process.kill(-(run.process.pid as number), 'SIGINT');
    const { code, stderr, stdout } = await run.ended;
    expect(stderr.replace(/after [23] of/, 'after N of')).toBe(
      `tokenfuse: stopped by SIGINT after N of 4 stages; go on with: tokenfuse ${words.join(' ')}\n`,
    );
    expect(code).toBe(130);
    expect(stdout).toMatch(/stage 'language': stopped by SIGINT after step \d+\n/);

    expect((await watched(startTokenfuse(words, folder)).ended).code).toBe(0);
    expect((await watched(startTokenfuse(words, unbroken)).ended).code).toBe(0);
    for (const name of ['vision', 'language']) {
      expect(bytesOf(join(folder, 'out', name)), name).toEqual(bytesOf(join(unbroken, 'out', name)));
    }
  });
});
