import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type CaptionSource, resolveSource } from '#captions/formats';
import { findCheckpoint } from '#src/training';
import { SITE_INDEX } from '#web';
import type { Stage, StagePlaces } from '../stages/index.js';

/** Name of the stage and of its folder. */
export const PAGE = 'page';

/** Pairs that the loss of precision is measured on: enough to see it, in a second. */
const CHECKED_PAIRS = 500;

export interface PageSetup {
  readonly needs: readonly string[];
  /** The run of the aligned model. */
  readonly model: string;
  readonly title: string;
  /** Examples, and what the loss of precision is measured on. */
  readonly set: { readonly captions: CaptionSource; readonly images?: string | undefined };
}

/** The stage that makes a page of the aligned model, one file, so that it opens from a report without a server. */
export function pageStage(
  { needs, model, title, set }: PageSetup,
  { root, cacheDir, engineWords }: StagePlaces,
): Stage {
  const outDir = join(root, PAGE);
  const page = join(outDir, SITE_INDEX);
  const timeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  const isComplete = (): boolean => {
    const made = timeOf(page);
    return made !== undefined && made > (timeOf(join(findCheckpoint(model), 'model.safetensors')) ?? 0);
  };
  return {
    ...{ name: PAGE, needs, outDir, isComplete },
    run: async ({ command }) => {
      if (isComplete()) return undefined;
      const source = resolveSource(set.captions, root);
      const captions = typeof source === 'string' ? source : JSON.stringify(source);
      const words = [
        ...['export', 'web', model, '--out', outDir, '--title', title, '--single-file', '--cache-dir', cacheDir],
        ...['--examples', captions, '--check', captions, '--limit', String(CHECKED_PAIRS)],
        ...(set.images === undefined ? [] : ['--images', join(root, set.images)]),
        // A page of an earlier alignment.
        ...(timeOf(page) === undefined ? [] : ['--overwrite']),
      ];
      return command([...words, ...engineWords], { computes: true });
    },
  };
}
