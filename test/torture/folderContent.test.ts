import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeSafetensors } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { brokenFiles, differences, folderContent, temporaryFiles } from './folderContent.js';

function runFolder(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'run/checkpoints/step-0000010'), { recursive: true });
  writeFileSync(join(folder, 'run/checkpoints/last.json'), '{"directory":"step-0000010"}');
  writeFileSync(join(folder, 'run/checkpoints/step-0000010/model.json'), '{}');
  writeFileSync(join(folder, 'run/metrics.jsonl'), '{"step":1}\n{"step":2}\n');
  writeFileSync(join(folder, 'run/timing.jsonl'), '{"step":1,"seconds":0.5}\n');
  const tensor = { shape: [2], values: Float32Array.of(1, 2) };
  writeSafetensors(join(folder, 'run/checkpoints/step-0000010/model.safetensors'), new Map([['x', tensor]]));
  return folder;
}

it('finds nothing wrong with a whole folder', () => {
  const folder = runFolder();
  expect(brokenFiles(folder)).toEqual([]);
  expect(temporaryFiles(folder)).toEqual([]);
  expect(differences(folderContent(folder), folderContent(runFolder()))).toEqual([]);
});

it('sees what is missing, left over or changed, and not how long it took', () => {
  const [folder, expected] = [runFolder(), folderContent(runFolder())];
  writeFileSync(join(folder, 'run/timing.jsonl'), '{"step":1,"seconds":0.7}\n');
  expect(differences(expected, folderContent(folder))).toEqual([]);
  writeFileSync(join(folder, 'run/metrics.jsonl'), '{"step":1}\n');
  writeFileSync(join(folder, 'run/x.0123abcd-77-0123abcd.tmp'), '');
  rmSync(join(folder, 'run/checkpoints/last.json'));
  expect(differences(expected, folderContent(folder))).toEqual([
    'run/checkpoints/last.json is missing',
    'run/x.0123abcd-77-0123abcd.tmp is left over',
    'run/metrics.jsonl differs',
  ]);
  expect(temporaryFiles(folder)).toEqual(['run/x.0123abcd-77-0123abcd.tmp']);
});

it.each<[string, (folder: string) => void, string]>([
  [
    'a pointer to nothing',
    (folder) => renameSync(join(folder, 'run/checkpoints/step-0000010'), join(folder, 'run/elsewhere')),
    'last.json',
  ],
  ['half of a JSON file', (folder) => writeFileSync(join(folder, 'dataset.json'), '{"seed":'), 'dataset.json'],
  ['an empty file of tensors', (folder) => writeFileSync(join(folder, 'x.safetensors'), ''), 'x.safetensors'],
  ['a line cut short before the last', (folder) => writeFileSync(join(folder, 'log.jsonl'), '{"a"\n{}\n'), 'log.jsonl'],
])('finds %s', (_, harm, name) => {
  const folder = runFolder();
  harm(folder);
  const [broken, ...more] = brokenFiles(folder);
  expect(broken).toContain(name);
  expect(more).toEqual([]);
});

it('does not mind a last line cut short, nor what has a temporary name', () => {
  const folder = runFolder();
  writeFileSync(join(folder, 'run/metrics.jsonl'), '{"step":1}\n{"st');
  writeFileSync(join(folder, 'x.json.0123abcd-77-0123abcd.tmp'), '{');
  expect(brokenFiles(folder)).toEqual([]);
});
