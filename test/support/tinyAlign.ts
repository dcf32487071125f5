import { join } from 'node:path';
import { AlignExperiment, type AlignOptions, type AlignResult, align } from '#fusion';
import { sceneProbe } from '#scenes';
import { recordedOutput } from './streams.js';

type Overrides = Partial<Omit<AlignExperiment, 'training'>> & { training?: Partial<AlignExperiment['training']> };

/** An alignment of `<folder>/merged` on `<folder>/captions.json`, eight steps long unless a test asks for more. */
export function tinyAlignment({ training, ...overrides }: Overrides = {}): AlignExperiment {
  const source = { captions: 'captions.json' };
  return AlignExperiment.parse({
    kind: 'align',
    name: 'align',
    seed: 4,
    model: 'merged',
    data: { train: source, validation: source, seqLen: 32 },
    training: {
      steps: 8,
      batchSize: 8,
      learningRate: 0.02,
      logEvery: 1,
      evaluateEvery: 4,
      checkpointEvery: 4,
      ...training,
    },
    ...overrides,
  });
}

/** Runs an alignment in `folder`, which holds the merged model and the captions. */
export async function alignTiny(
  folder: string,
  experiment = tinyAlignment(),
  runName = 'align',
  { resume = false, signal }: Partial<Pick<AlignOptions, 'resume' | 'signal'>> = {},
): Promise<AlignResult & { readonly runDir: string; readonly lines: readonly string[] }> {
  const output = recordedOutput();
  const runDir = join(folder, runName);
  const cacheDir = join(folder, 'cache');
  const places = { runDir, root: folder, cacheDir };
  const result = await align(experiment, { ...places, resume, signal, output, probe: sceneProbe });
  return { ...result, runDir, lines: output.lines };
}
