import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a run in a test is like; all has a default. */
export interface WrittenRun {
  readonly kind?: string;
  readonly name?: string;
  readonly seed?: number;
  readonly training?: Readonly<Record<string, unknown>>;
  /** Of the last checkpoint; null for a run without one. */
  readonly step?: number | null;
  readonly lines?: readonly object[];
  readonly engine?: string;
}

const SHA = '0123456789abcdef0123456789abcdef01234567';

/** Writes the files of a training run as tokenfuse leaves them, without its weights; gives their folder. */
export function writeRun(folder: string, run: WrittenRun = {}): string {
  const { kind = 'language', name = 'tiny', seed = 1, step = 20, engine = 'cpu' } = run;
  const training = { steps: 20, batchSize: 2, learningRate: 0.01, evaluateEvery: 10, ...run.training };
  mkdirSync(folder, { recursive: true });
  const write = (path: string, value: object): void => writeFileSync(join(folder, path), JSON.stringify(value));
  write('config.json', { kind, name, seed, training });
  write('provenance.json', { command: 'tokenfuse train', seed, engine: { name: engine, device: 'CPU' }, commit: SHA });
  const jsonLines = (lines: readonly object[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  writeFileSync(join(folder, 'metrics.jsonl'), jsonLines(run.lines ?? trainingLines(seed)));
  writeFileSync(join(folder, 'timing.jsonl'), jsonLines([1, 10, 20].map((at) => ({ step: at, stepSeconds: 0.5 }))));
  if (step !== null) {
    const directory = `step-${String(step).padStart(7, '0')}`;
    mkdirSync(join(folder, 'checkpoints', directory), { recursive: true });
    write(join('checkpoints', 'last.json'), { directory });
    const state = { step, seed, dataPosition: step, bestValue: 1 + seed / 10, bestStep: step };
    write(join('checkpoints', directory, 'state.json'), state);
  }
  return folder;
}

/** Losses that fall, with the tokens they took. */
export function trainingLines(seed: number): object[] {
  return [
    { step: 0, 'validation/loss': 5, 'train/tokens': 0, 'train/flops': 0 },
    { step: 1, 'train/loss': 4 },
    { step: 10, 'train/loss': 2 },
    { step: 10, 'validation/loss': 2, 'train/tokens': 1000, 'train/flops': 1e9 },
    { step: 20, 'train/loss': 1.5 },
    { step: 20, 'validation/loss': 1 + seed / 10, 'train/tokens': 2000, 'train/flops': 2e9 },
  ];
}

/** Writes an evaluation of images with these captions; gives its folder. */
export function writeEvaluationOf(folder: string, captions: readonly string[], references: readonly string[]): string {
  mkdirSync(folder, { recursive: true });
  const write = (path: string, value: object): void => writeFileSync(join(folder, path), JSON.stringify(value));
  write('config.json', { kind: 'evaluate', name: 'scores', seed: 1, model: folder });
  write('provenance.json', { seed: 1, engine: { name: 'cpu', device: 'CPU' }, commit: SHA });
  const samples = captions.map((generated, imageId) => ({
    ...{ imageId, image: { path: `/nowhere/${imageId}.png` }, references: [references[imageId]], generated },
    ...{ exact: null, bleu4: 0, rougeL: 0, captionNll: 1, ciderD: generated === references[imageId] ? 10 : 1 },
  }));
  const row = {
    name: 'model',
    captionNll: 0.5,
    ciderD: 3,
    attributes: null,
    intervals: { ciderD: { low: 2, high: 4 } },
  };
  write('evaluation.json', { sets: [{ name: 'seen', numImages: captions.length, rows: [row], samples }] });
  return folder;
}
