import { expect, it } from 'vitest';
import type { ConfigError } from '#src/errors';
import { runStages, type Stage } from '../../../experiments/stages/index.js';
import { stageError } from '../../../experiments/stages/stageError.js';
import { recordedOutput } from '../../support/streams.js';

const said = { code: 1, signal: null, errors: [], lastLine: '' };

it('keeps the exit code of wrong input, and makes 1 of every other', () => {
  const wrong = stageError('vision', { ...said, code: 2, errors: ['a.yaml:1: expected x', 'a.yaml:2: expected y'] });
  expect(wrong.message).toBe("stage 'vision': a.yaml:1: expected x\nstage 'vision': a.yaml:2: expected y");
  expect(wrong.exitCode).toBe(2);
  expect(stageError('vision', { ...said, code: 1, errors: ['the disk is full'] }).exitCode).toBe(1);
  const crashed = stageError('vision', { ...said, code: 134, lastLine: 'out of luck' });
  expect([crashed.message, crashed.exitCode]).toEqual(["stage 'vision' was killed by SIGABRT", 1]);
  const mute = stageError('vision', { ...said, code: 7, lastLine: 'out of luck' });
  expect(mute.message).toBe("stage 'vision': ended with exit code 7: out of luck");
});

it('names the signal, and memory where it was SIGKILL', () => {
  const end = { ...said, code: null };
  expect(stageError('align', { ...end, signal: 'SIGSEGV' }).message).toBe("stage 'align' was killed by SIGSEGV");
  expect(stageError('align', { ...end, signal: 'SIGKILL' }).message).toMatch(
    /^stage 'align' was killed by SIGKILL; where nobody did that, memory ran out: take a smaller batchSize/,
  );
});

/** A stage that runs a command of the program. */
const commandStage = (name: string, words: readonly string[]): Stage => ({
  ...{ name, needs: [], outDir: name },
  isComplete: () => false,
  run: ({ command }) => command(words),
});

it('a message comes once, in the error', async () => {
  const output = recordedOutput();
  const failed = runStages([commandStage('vision', ['train', 'missing.yaml'])], { threads: 1, output });
  const error = await failed.catch((caught: unknown) => caught);
  expect((error as ConfigError).message).toMatch(/^stage 'vision': [^\n]*missing\.yaml[^\n]*$/);
  expect((error as ConfigError).exitCode).toBe(2);
  expect(output.lines.filter((line) => line.includes('missing.yaml'))).toEqual([]);
}, 30_000);
