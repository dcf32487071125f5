import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { findCheckpoint, readTrainingState } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';

const script = join(import.meta.dirname, '../../dist/test/training/trainChild.js');

function child(runDir: string, start: 'fresh' | 'resume', pause: number): ChildProcess {
  if (!existsSync(script)) throw new Error(`expected ${script}; run npm run build first`);
  return spawn(process.execPath, [script, runDir, start, String(pause)], { stdio: ['ignore', 'ignore', 'pipe'] });
}

async function finished(process: ChildProcess): Promise<void> {
  let stderr = '';
  process.stderr!.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(process, 'exit');
  expect(code, stderr).toBe(0);
}

const metricLines = (runDir: string): string[] => {
  const path = join(runDir, 'metrics.jsonl');
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
};

it('a run killed with SIGKILL in the middle and resumed ends with the bytes of an unbroken one', {
  timeout: 120_000,
}, async () => {
  const [unbroken, killed] = [temporaryFolder(), temporaryFolder()];
  const whole = finished(child(unbroken, 'fresh', 0));
  const victim = child(killed, 'fresh', 100);
  const exit = once(victim, 'exit');
  for (let i = 0; i < 3000 && metricLines(killed).length < 12; i++) await setTimeout(10);
  victim.kill('SIGKILL');
  expect(await exit).toEqual([null, 'SIGKILL']);
  const { step } = readTrainingState(findCheckpoint(killed, 'last')).state;
  expect(step).toBeGreaterThanOrEqual(4);
  expect(step).toBeLessThan(24);

  await whole;
  await finished(child(killed, 'resume', 0));
  expect(readFileSync(join(killed, 'metrics.jsonl'), 'utf8')).toBe(
    readFileSync(join(unbroken, 'metrics.jsonl'), 'utf8'),
  );
  for (const name of ['model.safetensors', 'optimizer.safetensors', 'state.json']) {
    const [a, b] = [unbroken, killed].map((runDir) => readFileSync(join(findCheckpoint(runDir, 'last'), name)));
    expect(a.equals(b), name).toBe(true);
  }
});
