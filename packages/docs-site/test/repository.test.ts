import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deadLinks, markdownFiles, PAGE_PATHS } from '../src/index.js';

const root = resolve(import.meta.dirname, '../../..');
const files = markdownFiles(root);

describe('the markdown files of this repository', () => {
  it('are found', () => {
    expect(files).toEqual(expect.arrayContaining(['README.md', 'bench/README.md', 'docs/api/tokenfuse/fusion.md']));
  });

  it('have no dead link, anchors included', () => {
    expect(deadLinks(root, files)).toEqual([]);
  });

  it('of docs are pages of the site, each once, and all of its pages are there', () => {
    const docs = files.filter((path) => path.startsWith('docs/'));
    expect(PAGE_PATHS).toEqual(expect.arrayContaining(docs));
    expect(new Set(PAGE_PATHS).size).toBe(PAGE_PATHS.length);
    expect(files).toEqual(expect.arrayContaining([...PAGE_PATHS]));
  });
});
