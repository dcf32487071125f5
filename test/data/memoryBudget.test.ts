import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createMemoryBudget } from '#src/data';

it('runs tasks side by side within the sum, in the order they came', async () => {
  const budget = createMemoryBudget(10);
  const running = new Set<string>();
  const log: string[] = [];
  const ends = new Map<string, () => void>();
  const start = (name: string, bytes: number): Promise<void> =>
    budget.within(bytes, async () => {
      running.add(name);
      log.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
      running.delete(name);
    });
  const all = [start('a', 6), start('b', 4), start('c', 5), start('d', 1), start('huge', 99)];
  await setImmediate();
  expect([...running]).toEqual(['a', 'b']);
  ends.get('b')?.();
  await setImmediate();
  // 4 are free: d would fit, but c was first.
  expect([...running]).toEqual(['a']);
  ends.get('a')?.();
  await setImmediate();
  expect([...running]).toEqual(['c', 'd']);
  ends.get('c')?.();
  ends.get('d')?.();
  await setImmediate();
  expect([...running]).toEqual(['huge']);
  ends.get('huge')?.();
  await Promise.all(all);
  expect(log).toEqual(['a', 'b', 'c', 'd', 'huge']);
});

it('frees the memory of a task that fails', async () => {
  const budget = createMemoryBudget(1);
  await expect(budget.within(1, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await budget.within(1, async () => 'next')).toBe('next');
});
