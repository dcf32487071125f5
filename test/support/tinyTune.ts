import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TuneExperiment, tune } from '#fusion';
import type { TuneResult } from '#src/groups';
import { recordedOutput } from './streams.js';

/** Writes `<folder>/rhymes.txt`, which the tiny language backbone has not seen. */
export function writeRhymes(folder: string): void {
  writeFileSync(join(folder, 'rhymes.txt'), 'the red square is blue\nthe blue square is red\n'.repeat(30));
}

/** A tuning of `<folder>/language` on `<folder>/rhymes.txt`, eight steps long unless a test asks for more. */
export function tinyTuning(given: Record<string, unknown> = {}): TuneExperiment {
  const data = { files: ['rhymes.txt'], seqLen: 16, documents: 'line', validationShare: 0.2 };
  return TuneExperiment.parse({
    kind: 'tune',
    name: 'tune',
    seed: 4,
    model: 'language',
    group: { name: 'rhymes', tokens: 3 },
    language: { data },
    training: { steps: 8, batchSize: 4, learningRate: 0.03, logEvery: 1, evaluateEvery: 4, checkpointEvery: 4 },
    ...given,
  });
}

/** Runs a tuning in `folder`. */
export async function tuneTiny(
  folder: string,
  experiment = tinyTuning(),
  {
    runName = 'tune',
    resume = false,
    onLine,
  }: { runName?: string; resume?: boolean; onLine?: (line: string) => void } = {},
): Promise<TuneResult & { readonly runDir: string; readonly lines: readonly string[] }> {
  const runDir = join(folder, runName);
  const recorded = recordedOutput();
  const controller = new AbortController();
  const output = {
    ...recorded,
    line: (text = '') => {
      recorded.line(text);
      try {
        onLine?.(text);
      } catch (reason) {
        controller.abort(reason);
      }
    },
  };
  const options = { runDir, root: folder, cacheDir: join(folder, 'cache'), resume, output, signal: controller.signal };
  return { ...(await tune(experiment, options)), runDir, lines: recorded.lines };
}
