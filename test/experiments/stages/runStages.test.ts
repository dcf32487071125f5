import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { runStages, type Stage } from '../../../experiments/stages/index.js';

const output = { line: () => undefined, interactive: false };

/** A stage that runs in this process and notes when it starts and ends. */
function noting(log: string[], name: string, needs: string[] = [], fails = false): Stage {
  return {
    ...{ name, needs, outDir: name },
    isComplete: () => false,
    run: async () => {
      log.push(`${name} starts`);
      await setTimeout(10);
      if (fails) throw new Error(`${name} failed`);
      log.push(`${name} ends`);
      return undefined;
    },
  };
}

it('runs each stage after those it needs, side by side where there are threads', async () => {
  const log: string[] = [];
  const graph = [noting(log, 'a'), noting(log, 'b', ['a']), noting(log, 'c', ['a']), noting(log, 'd', ['b', 'c'])];
  const ended: string[] = [];
  await runStages(graph, { threads: 2, output, onEnd: ({ name }) => ended.push(name) });
  expect(log.slice(0, 4)).toEqual(['a starts', 'a ends', 'b starts', 'c starts']);
  expect(log.slice(4, 6).sort()).toEqual(['b ends', 'c ends']);
  expect(log.slice(6)).toEqual(['d starts', 'd ends']);
  expect(ended.at(-1)).toBe('d');
});

it('runs one at a time, in the order of the list, on one thread', async () => {
  const log: string[] = [];
  await runStages([noting(log, 'a'), noting(log, 'b')], { threads: 1, output });
  expect(log).toEqual(['a starts', 'a ends', 'b starts', 'b ends']);
});

it('runs as many at a time as there are shares of a fixed number of threads', async () => {
  const log: string[] = [];
  await runStages([noting(log, 'a'), noting(log, 'b')], { threads: 3, threadsEach: 2, output });
  expect(log).toEqual(['a starts', 'a ends', 'b starts', 'b ends']);
});

it('takes a need that is not in the list as done', async () => {
  const log: string[] = [];
  await runStages([noting(log, 'b', ['a'])], { threads: 2, output });
  expect(log).toEqual(['b starts', 'b ends']);
});

it('throws the first failure once all have ended, and starts nothing after it', async () => {
  const log: string[] = [];
  const graph = [noting(log, 'a', [], true), noting(log, 'b'), noting(log, 'c', ['b'])];
  await expect(runStages(graph, { threads: 2, output })).rejects.toThrow('a failed');
  expect(log).toContain('b ends');
  expect(log).not.toContain('c starts');
});

it('refuses stages that wait for each other', async () => {
  const log: string[] = [];
  const graph = [noting(log, 'a', ['b']), noting(log, 'b', ['a'])];
  await expect(runStages(graph, { threads: 2, output })).rejects.toThrow('wait for each other: a, b');
});
