import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PROVENANCE, readProvenance } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

it.each([
  ['null', 'null', /the file: expected an object, got null/],
  ['a list', '[1]', /the file: expected/],
  [
    'an engine that is none',
    '{"engine": {"name": "abacus"}}',
    /provenance\.json: seed: expected a number, got nothing/,
  ],
])('a provenance.json that is %s is one line that names it', (_, text, expected) => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, PROVENANCE), text);
  const line = userErrorLine(() => readProvenance(folder));
  expect(line).toContain(join(folder, PROVENANCE));
  expect(line).toMatch(expected);
});
