import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import { readPredictions } from '#captions/formats';
import { selectEngine } from '#src/engine';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { COLOUR_NAMES, writeTinyCaptions } from '../support/tinyCaptions.js';
import { tinyJointModel } from '../support/tinyJointModel.js';
import { startTokenfuse, tokenfuse } from '../support/tokenfuse.js';

const IMAGES = 48;

beforeAll(async () => {
  await selectEngine('cpu');
});

it('a captioning that is killed goes on from there and ends with the bytes of an unbroken one', {
  timeout: 120_000,
}, async () => {
  const folder = temporaryFolder();
  tinyJointModel(folder).dispose();
  await writeTinyCaptions(folder);
  mkdirSync(join(folder, 'many'));
  for (let i = 0; i < IMAGES; i++) {
    const source = `${COLOUR_NAMES[i % COLOUR_NAMES.length]}.png`;
    copyFileSync(join(folder, 'images', source), join(folder, 'many', `${1000 + i}.png`));
  }
  const words = (out: string): string[] => [
    ...['caption', 'merged', 'many', '--engine', 'cpu', '--batch-size', '1', '--max-tokens', '4'],
    ...['--num-samples', '2', '--out', out],
  ];
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const lines = (): number => (existsSync(join(folder, 'b.jsonl')) ? read('b.jsonl').split('\n').length : 0);

  const whole = tokenfuse(words('a.json'), folder);
  const victim = startTokenfuse(words('b.json'), folder);
  const exit = once(victim, 'exit');
  for (let i = 0; i < 5000 && lines() < 8; i++) await setTimeout(5);
  victim.kill('SIGKILL');
  expect(await exit).toEqual([null, 'SIGKILL']);
  const done = lines() - 2;
  expect(done).toBeGreaterThan(5);
  expect(done).toBeLessThan(IMAGES);
  expect(existsSync(join(folder, 'b.json'))).toBe(false);

  const [unbroken, resumed] = [await whole, await tokenfuse(words('b.json'), folder)];
  expect(unbroken.code, unbroken.stderr).toBe(0);
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(resumed.stdout).toMatch(/\d+ of 48 images are in .*b\.jsonl already/);
  for (const name of ['json', 'jsonl']) expect(read(`b.${name}`)).toBe(read(`a.${name}`));
  expect([...readPredictions(join(folder, 'b.json')).keys()]).toEqual(Array.from({ length: IMAGES }, (_, i) => i + 1));
});
