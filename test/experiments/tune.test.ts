import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { readGroupFile } from '#src/groups';
import { findCheckpoint } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { alignTiny } from '../support/tinyAlign.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { mergeTiny } from '../support/tinyJointModel.js';
import { tinyTuning, writeRhymes } from '../support/tinyTune.js';
import { refusal, startTokenfuse, tokenfuse, writeExperiment } from '../support/tokenfuse.js';

function folderToTune(given: Record<string, unknown> = {}): string {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  writeRhymes(folder);
  writeExperiment(folder, JSON.parse(JSON.stringify(tinyTuning(given))));
  return folder;
}

async function succeeds(words: readonly string[], folder: string): Promise<string> {
  const { code, stdout, stderr } = await tokenfuse(words, folder);
  expect(code, stderr).toBe(0);
  return stdout;
}

it('tune writes a group, groups lists it, generate attaches it', { timeout: 60_000 }, async () => {
  const folder = folderToTune();
  const tuned = await succeeds(['tune', 'tune.yaml'], folder);
  expect(tuned).toMatch(/backbone kept, by SHA-256; group of step \d+ in .*tune\/rhymes\.safetensors/);
  const listed = (await succeeds(['groups', 'language', 'tune', 'tune/rhymes.safetensors'], folder)).split('\n');
  const hashOf = (line: string): string => /language ([0-9a-f]{12}…)/.exec(line)![1];
  expect(listed.slice(2).map((line) => line.split(/ {2,}/).slice(1, 3))).toEqual([
    ['language', 'backbone'],
    ['language', 'backbone'],
    ['language.rhymes', 'tokens'],
    ['rhymes', 'tokens'],
    [],
  ]);
  expect(hashOf(listed[5])).toBe(hashOf(listed[2]));
  expect(hashOf(listed[3])).not.toBe(hashOf(listed[2]));

  const words = ['the red', '--max-tokens', '4'];
  const whole = await succeeds(['generate', 'tune', ...words], folder);
  expect(await succeeds(['generate', 'language', ...words, '--group', 'tune/rhymes.safetensors'], folder)).toBe(whole);
  mergeTiny(folder);
  expect(await succeeds(['generate', 'merged', ...words, '--group', 'tune/rhymes.safetensors'], folder)).toBe(whole);
  expect(await refusal(['generate', 'tune', ...words, '--group', 'tune/rhymes.safetensors'], folder, 2)).toContain(
    "has a group 'rhymes' already",
  );
});

it('captions go on with the groups that they were started with alone', { timeout: 60_000 }, async () => {
  const folder = folderToTune();
  await writeTinyCaptions(folder);
  mergeTiny(folder);
  await succeeds(['tune', 'tune.yaml'], folder);
  const words = ['caption', 'merged', 'images', '--out', 'out.json', '--max-tokens', '3'];
  await succeeds([...words, '--group', 'tune/rhymes.safetensors'], folder);
  const [settings] = readFileSync(join(folder, 'out.jsonl'), 'utf8').split('\n');
  expect(JSON.parse(settings).groups).toEqual([readGroupFile(join(folder, 'tune/rhymes.safetensors')).sha256]);
  expect(await refusal(words, folder, 2)).toContain('made with other settings (other groups attached)');
});

it('extract-bridge and attach-bridge make an aligned model of a merged one', { timeout: 60_000 }, async () => {
  const folder = folderToTune();
  await writeTinyCaptions(folder);
  mergeTiny(folder);
  const { runDir } = await alignTiny(folder);
  await succeeds(['extract-bridge', 'align', 'colours.safetensors'], folder);
  await succeeds(['attach-bridge', 'merged', 'colours.safetensors', 'joined'], folder);
  const [a, b] = [findCheckpoint(runDir), join(folder, 'joined')].map((path) =>
    readFileSync(join(path, 'model.safetensors')),
  );
  expect(a.equals(b)).toBe(true);
  expect(await refusal(['attach-bridge', 'merged', 'colours.safetensors', 'joined'], folder, 2)).toContain(
    'expected a new or empty place, got a model',
  );
  expect(await refusal(['extract-bridge', 'align', 'colours'], folder, 2)).toContain('ends in .safetensors');
});

it('a tuning killed with SIGKILL leaves no half group, and resumed ends with the bytes of an unbroken one', {
  timeout: 120_000,
}, async () => {
  const training = { steps: 60, batchSize: 4, learningRate: 0.01, logEvery: 1, evaluateEvery: 30, checkpointEvery: 5 };
  const folder = folderToTune({ training });
  const [run, group] = [join(folder, 'tune'), join(folder, 'tune', 'rhymes.safetensors')];
  const child = startTokenfuse(['tune', 'tune.yaml'], folder);
  const ended = new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)));
  while (!existsSync(join(run, 'checkpoints', 'last.json'))) await setTimeout(5);
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
  expect(existsSync(group)).toBe(false);
  await succeeds(['tune', 'tune.yaml', '--resume'], folder);
  await succeeds(['tune', 'tune.yaml', '--out', 'whole'], folder);
  expect(readFileSync(group).equals(readFileSync(join(folder, 'whole', 'rhymes.safetensors')))).toBe(true);
  expect(readdirSync(run).filter((name) => name.includes('.safetensors'))).toEqual(['rhymes.safetensors']);
});
