import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replaceSection } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';

describe('replaceSection', () => {
  it('replaces what stands between the marks of that name and nothing else', () => {
    const path = join(temporaryFolder(), 'README.md');
    writeFileSync(path, 'a\n<!-- x:start -->\nold\n<!-- x:end -->\nb <!-- y:end -->\n');
    replaceSection(path, 'x', 'new\n');
    expect(readFileSync(path, 'utf8')).toBe('a\n<!-- x:start -->\nnew\n<!-- x:end -->\nb <!-- y:end -->\n');
  });

  it('refuses a file without the marks', () => {
    const path = join(temporaryFolder(), 'README.md');
    writeFileSync(path, '<!-- x:end -->\n<!-- x:start -->\n');
    expect(() => replaceSection(path, 'x', 'new\n')).toThrow('<!-- x:start -->');
    expect(readFileSync(path, 'utf8')).not.toContain('new');
  });
});
