import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { findCheckpoint, readTrainingState } from '#src/training';
import { writeNoise } from '../support/taughtRun.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const script = join(import.meta.dirname, '../../dist/test/vision/teacherChild.js');

it('a run with teachers killed with SIGKILL and resumed ends with the bytes of an unbroken one', {
  timeout: 240_000,
}, async () => {
  if (!existsSync(script)) throw new Error(`expected ${script}; run npm run build first`);
  const root = temporaryFolder();
  await writeNoise(root);
  const child = (name: string, start: 'fresh' | 'resume'): ChildProcess =>
    spawn(process.execPath, [script, root, join(root, 'runs', name), start], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const finished = async (process: ChildProcess): Promise<void> => expect((await once(process, 'exit'))[0]).toBe(0);
  await finished(child('unbroken', 'fresh'));
  const killed = join(root, 'runs', 'killed');
  const victim = child('killed', 'fresh');
  const exit = once(victim, 'exit');
  const pointer = join(killed, 'checkpoints', 'last.json');
  for (let i = 0; i < 6000 && !(existsSync(pointer) && readFileSync(pointer, 'utf8').includes('step-00000')); i++) {
    await setTimeout(10);
  }
  await setTimeout(100);
  victim.kill('SIGKILL');
  expect(await exit).toEqual([null, 'SIGKILL']);
  const { step } = readTrainingState(findCheckpoint(killed, 'last')).state;
  expect(step).toBeLessThan(60);

  await finished(child('killed', 'resume'));
  const last = (name: string): string => findCheckpoint(join(root, 'runs', name), 'last');
  for (const file of ['model.safetensors', 'optimizer.safetensors', 'teacher.safetensors', 'state.json']) {
    const [a, b] = ['unbroken', 'killed'].map((name) => readFileSync(join(last(name), file)));
    expect(a.equals(b), file).toBe(true);
  }
});
