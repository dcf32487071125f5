import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { type ExperimentKind, parseExperiment } from '#experiments';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const quickstart = resolve(import.meta.dirname, '../../experiments/quickstart');
const KINDS: ExperimentKind[] = ['scenes', 'tokenizer', 'vision', 'language', 'merge', 'align', 'evaluate', 'pipeline'];

it.each(KINDS)('the results of kind %s cannot be sent elsewhere by a name', (kind) => {
  const load = (name: string): unknown =>
    parseExperiment(`${quickstart}/${kind}.yaml`, [`name=${JSON.stringify(name)}`]);
  for (const name of ['.', '..', '../x', 'a/b', '/tmp/x', 'a\\b', 'a\u0000b', 'a\nb', ' ', 'x'.repeat(300)]) {
    expect(userErrorLine(() => load(name))).toContain("'name': expected the name of a folder, without / and \\; got '");
  }
  expect(userErrorLine(() => load(''))).toContain("'name': expected text, not an empty one");
  for (const name of ['a', '.hidden', 'a.b', '..a', 'Größe 2', '日本'])
    expect(load(name)).toMatchObject({ config: { name } });
});

it('is refused with its line', () => {
  const path = join(temporaryFolder(), 'x.yaml');
  writeFileSync(path, 'kind: merge\nname: ../x\nvision: v\nlanguage: l\n');
  expect(userErrorLine(() => parseExperiment(path))).toBe(
    `${path}:2: 'name': expected the name of a folder, without / and \\; got '../x'`,
  );
});
