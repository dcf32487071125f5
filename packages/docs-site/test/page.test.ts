import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import MarkdownIt from 'markdown-it';
import { describe, expect, it } from 'vitest';
import { deadLinks, headingSlug, parsePage, shellCommands, siteMarkdown, sourceAddress } from '../src/index.js';

describe('parsePage', () => {
  it('has the anchors that GitHub makes, numbered where a heading comes again, and those in HTML', () => {
    const { title, anchors } = parsePage(
      '# A `b` [c](x.md)\n\n## Θ: two–words!\n\n## Same\n\n## Same\n\n<a id="own"></a>\n',
    );
    expect(title).toBe('A b c');
    expect([...anchors]).toEqual(['a-b-c', 'θ-twowords', 'same', 'same-1', 'own']);
    expect(headingSlug('`tokenfuse run`, twice')).toBe('tokenfuse-run-twice');
  });

  it('has links and images with their lines, but none of code', () => {
    const { links, inlineCode } = parsePage('one\n\n[a](b.md#c) ![d](e.svg) `[f](g.md)`\n\n    [h](i.md)\n');
    expect(links).toEqual([
      { href: 'b.md#c', isImage: false, line: 3 },
      { href: 'e.svg', isImage: true, line: 3 },
    ]);
    expect(inlineCode).toEqual(['[f](g.md)']);
  });
});

describe('shellCommands', () => {
  it('reads shell blocks and indented ones that begin with a command, joins lines and drops comments', () => {
    const page =
      '    tokenfuse run a.yaml \\\n      --root b   # why\n    npm test\n\ntext\n\n    x = y\n\n```sh\nls\n```\n\n```text\nnpm x\n```\n';
    const sql = '    tokenfuse runs sql "SELECT \'#\'\n      FROM runs" a # why\n';
    expect(shellCommands(parsePage(sql).blocks)).toEqual([
      { command: 'tokenfuse runs sql "SELECT \'#\' FROM runs" a', line: 1 },
    ]);
    expect(shellCommands(parsePage(page).blocks)).toEqual([
      { command: 'tokenfuse run a.yaml --root b', line: 1 },
      { command: 'npm test', line: 3 },
      { command: 'ls', line: 10 },
    ]);
  });
});

describe('deadLinks', () => {
  it('reports files and anchors that are missing and paths that leave the repository, and nothing else', () => {
    const root = mkdtempSync(join(tmpdir(), 'links-'));
    try {
      mkdirSync(join(root, 'docs'));
      writeFileSync(
        join(root, 'README.md'),
        '# Top\n\n[a](docs/a.md#one) [b](docs) [c](https://example.org) [d](#top)\n',
      );
      writeFileSync(
        join(root, 'docs/a.md'),
        '# A\n\n## One\n\n[up](../README.md#top) [x](b.md)\n\n[y](#two) [z](../README.md#no) ![p](p.svg) [o](../../o)\n',
      );
      expect(deadLinks(root, ['README.md', 'docs/a.md'])).toEqual([
        'docs/a.md:5: b.md: docs/b.md does not exist',
        'docs/a.md:7: #two: no heading of docs/a.md has this anchor',
        'docs/a.md:7: ../README.md#no: no heading of README.md has this anchor',
        'docs/a.md:7: p.svg: docs/p.svg does not exist',
        'docs/a.md:7: ../../o: expected a path inside the repository',
      ]);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});

describe('siteMarkdown', () => {
  const rendered = (text: string, sources?: string): string => {
    const md = new MarkdownIt();
    siteMarkdown(md, { pages: new Set(['README.md', 'docs/a.md']), ...(sources !== undefined && { sources }) });
    return md.render(text, { relativePath: 'docs/a.md' }).trim();
  };

  it('leads links to pages to where they are in the site, and leaves own anchors and other sites alone', () => {
    expect(rendered('[a](../README.md#b) [c](#d) [e](https://f.org)')).toBe(
      '<p><a href="/index.md#b">a</a> <a href="#d">c</a> <a href="https://f.org">e</a></p>',
    );
  });

  it('leads links to other files to the sources, or makes them text where there is no address', () => {
    expect(rendered('[a `b`](../x.yaml)', 'https://s.org/blob/HEAD')).toBe(
      '<p><a href="https://s.org/blob/HEAD/x.yaml">a <code>b</code></a></p>',
    );
    expect(rendered('[a `b`](../x.yaml).')).toBe('<p>a <code>b</code>.</p>');
  });

  it('makes indented blocks fenced ones: shell where they are commands', () => {
    expect(rendered('    npm test\n')).toContain('class="language-sh"');
    expect(rendered('    x = y\n')).toContain('class="language-text"');
  });
});

it('sourceAddress reads the forms of `repository`', () => {
  expect(sourceAddress({})).toBeUndefined();
  const address = 'https://github.com/o/r/blob/HEAD';
  for (const repository of ['github:o/r', { url: 'git+https://github.com/o/r.git' }, 'https://github.com/o/r'])
    expect(sourceAddress({ repository })).toBe(address);
});
