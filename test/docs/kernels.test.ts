import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { kernelDocument } from './kernelTable.js';

const file = fileURLToPath(new URL('../../docs/kernels.md', import.meta.url));

it('docs/kernels.md is what the engines declare', () => {
  const document = kernelDocument();
  if (process.env.TOKENFUSE_UPDATE_DOCS === '1') writeFileSync(file, document);
  expect(readFileSync(file, 'utf8')).toBe(document);
});
