import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { trainBpe, writeBpeModel } from '#language';
import { findCheckpoint } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { startTokenfuse, tokenfuseProcess, writeExperiment } from '../support/tokenfuse.js';

const text = 'the cat sat on the mat. the dog sat on the log. '.repeat(400);

/** The run grows after these steps. */
const GROWTHS = [8, 14];

function folderWithExperiment(): string {
  const root = temporaryFolder();
  writeFileSync(join(root, 'text.txt'), text);
  writeBpeModel(join(root, 'bpe.json'), trainBpe({ texts: [text], vocabSize: 270 }));
  writeExperiment(root, {
    kind: 'language',
    name: 'run',
    model: {
      stack: {
        ...{ dModel: 16, numLayers: 2, numHeads: 2 },
        ...{ qkvParamTokens: 16, outputParamTokens: 16, ffnParamTokens: 32 },
      },
    },
    tokenizer: { kind: 'bpe', path: 'bpe.json' },
    data: { files: ['text.txt'], seqLen: 32, validationShare: 0.1 },
    training: {
      ...{ steps: 20, batchSize: 4, learningRate: 0.01, logEvery: 1, evaluateEvery: 10, checkpointEvery: 1 },
      stages: GROWTHS.map((afterStep) => ({ afterStep, policy: 'preserve', factor: 2 })),
    },
  });
  return root;
}

const WORDS = ['train', 'language.yaml', '--engine', 'wasm'];

it('a run killed around its growths and resumed ends with the bytes of an unbroken one', {
  timeout: 240_000,
}, async () => {
  const [unbroken, killed] = [folderWithExperiment(), folderWithExperiment()];
  const whole = tokenfuseProcess(WORDS, unbroken);
  const metrics = join(killed, 'run', 'metrics.jsonl');
  const steps = (): number =>
    existsSync(metrics) ? Number(/.*"step":(\d+)/s.exec(readFileSync(metrics, 'utf8'))?.[1] ?? 0) : 0;
  for (const step of GROWTHS) {
    const victim = startTokenfuse([...WORDS, ...(existsSync(metrics) ? ['--resume'] : [])], killed);
    const exit = once(victim, 'exit');
    while (steps() < step && victim.exitCode === null) await setTimeout(2);
    victim.kill('SIGKILL');
    await exit;
  }
  expect((await whole).code).toBe(0);
  const { code, stderr } = await tokenfuseProcess([...WORDS, '--resume'], killed);
  expect(code, stderr).toBe(0);
  for (const name of ['model.json', 'model.safetensors', 'optimizer.safetensors', 'state.json']) {
    const [a, b] = [unbroken, killed].map((root) =>
      readFileSync(join(findCheckpoint(join(root, 'run'), 'last'), name)),
    );
    expect(a.equals(b), name).toBe(true);
  }
  const [a, b] = [unbroken, killed].map((root) => readFileSync(join(root, 'run', 'metrics.jsonl'), 'utf8'));
  expect(b).toBe(a);
});
