import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { alignedPairs } from '#fusion';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';

/** A run directory with one checkpoint. */
function runWith(config: unknown): { readonly run: string; readonly checkpoint: string } {
  const run = temporaryFolder();
  const checkpoint = join(run, 'checkpoints', 'step-0000004');
  mkdirSync(checkpoint, { recursive: true });
  writeFileSync(join(run, 'config.json'), JSON.stringify(config));
  return { run, checkpoint };
}

it('is what the run of a model was given, by its folder or that of a checkpoint', () => {
  const { run, checkpoint } = runWith({ kind: 'align', data: { maxPairs: 400 } });
  expect([run, checkpoint, join(run, 'checkpoints')].map(alignedPairs)).toEqual([400, 400, undefined]);
});

it('is undefined where a run names none, and where there is no run', () => {
  expect(alignedPairs(runWith({ kind: 'align', data: {} }).run)).toBeUndefined();
  expect(alignedPairs(temporaryFolder())).toBeUndefined();
});

it('refuses a damaged configuration', () => {
  const { run } = runWith({ kind: 'align', data: { maxPairs: 'many' } });
  expect(userErrorLine(() => alignedPairs(run))).toContain('maxPairs');
});
