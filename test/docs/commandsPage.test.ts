import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { commandsPage } from './commandsPage.js';

const file = fileURLToPath(new URL('../../docs/commands.md', import.meta.url));

it('docs/commands.md is what --help says; TOKENFUSE_UPDATE_DOCS=1 rewrites it', () => {
  const page = commandsPage();
  if (process.env.TOKENFUSE_UPDATE_DOCS === '1') writeFileSync(file, page);
  expect(readFileSync(file, 'utf8')).toBe(page);
});
