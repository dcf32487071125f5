import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findCheckpoint } from '#src/training';
import type { StagePlaces } from './experimentStage.js';
import type { Stage } from './stage.js';

export interface CommandSetup {
  readonly name: string;
  readonly needs: readonly string[];
  /**
   * The command and its arguments. `{out}` stands for the stage's folder, `{root}` for that which paths start at, and
   * `{last:path}` for the last checkpoint of the run at a path from there.
   */
  readonly words: readonly string[];
  /** Whether it computes on an engine. */
  readonly computes: boolean;
  readonly outDir: string;
}

/** The stage that runs a command which writes its output whole or not at all. */
export function commandStage(
  { name, needs, words, computes, outDir }: CommandSetup,
  { root, engineWords }: StagePlaces,
): Stage {
  const isComplete = (): boolean => existsSync(outDir);
  const filled = (word: string): string =>
    word
      .replace(/\{last:([^}]+)\}/g, (_, path: string) => findCheckpoint(join(root, path), 'last'))
      .replaceAll('{root}', root)
      .replaceAll('{out}', outDir);
  return {
    ...{ name, needs, outDir, isComplete },
    run: async ({ command }) => {
      if (isComplete()) return undefined;
      return command([...words.map(filled), ...(computes ? engineWords : [])], { computes });
    },
  };
}
