import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The entries with a page in docs/api; `tokenfuse` itself exports all of theirs. */
const ENTRIES = ['evaluation', 'fusion', 'language', 'metrics', 'tokenformer', 'vision'];

interface Exported {
  readonly name: string;
  readonly from: string;
}

/** Names that a file exports from others. */
function exportsOf(path: string): Exported[] {
  return [...read(path).matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)';/gms)].flatMap(([, names, specifier]) =>
    names
      .split(',')
      .map((name) => name.trim().replace(/^type /, ''))
      .filter(Boolean)
      .map((name) => ({ name, from: resolved(path, specifier) })),
  );
}

function resolved(path: string, specifier: string): string {
  return specifier.startsWith('#')
    ? `${specifier.slice(1)}/index.ts`
    : join(dirname(path), specifier).replace(/\.js$/, '.ts');
}

interface Declaration {
  readonly docstring: string;
  readonly isFunction: boolean;
}

/** A symbol's declaration and the comment above it, found through files that only pass it on. */
function declarationOf({ name, from }: Exported): Declaration | undefined {
  const passedOn = exportsOf(from).find((other) => other.name === name);
  if (passedOn) return declarationOf(passedOn);
  const pattern = new RegExp(
    `/\\*\\*((?:(?!\\*/)[^])*)\\*/\\nexport (?:async )?(function|interface|type|class|const) ${name}\\b`,
  );
  const match = pattern.exec(read(from));
  return match === null ? undefined : { docstring: match[1], isFunction: match[2] === 'function' };
}

/** Text without the marks in which source and Markdown differ. */
const plain = (text: string): string =>
  text
    .replace(/\{@link (\w+)\}/g, '$1')
    .replace(/\[`?(\w+)`?\]\([^)]*\)/g, '$1')
    .replace(/^\s*\*/gm, ' ')
    .replace(/\\/g, '')
    .replace(/\s+/g, ' ')
    .trim();

describe.each(ENTRIES)('tokenfuse/%s', (entry) => {
  const symbols = exportsOf(`api/${entry}.ts`);
  const page = read(`docs/api/tokenfuse/${entry}.md`);
  const pages = plain(ENTRIES.map((other) => read(`docs/api/tokenfuse/${other}.md`)).join('\n'));

  it('documents every symbol that it exports', () => {
    expect(symbols.length).toBeGreaterThan(0);
    expect(symbols.filter((symbol) => declarationOf(symbol) === undefined)).toEqual([]);
  });

  it('has them in docs/api as they are documented; `npm run docs:api` writes it', () => {
    const missing = symbols.filter(({ name }) => !new RegExp(`^### ${name}(\\(\\))?$`, 'm').test(page));
    expect(missing).toEqual([]);
    const firstParagraph = (symbol: Exported): string =>
      plain((declarationOf(symbol)?.docstring ?? '').split(/\n \*\n|\n \* @/)[0]);
    expect(symbols.map(firstParagraph).filter((text) => !pages.includes(text))).toEqual([]);
  });

  it('shows a use of every function', () => {
    const silent = symbols.filter((symbol) => {
      const declaration = declarationOf(symbol);
      return declaration?.isFunction === true && !declaration.docstring.includes('@example');
    });
    expect(silent).toEqual([]);
  });
});

it('has every entry of package.json among the pages, but for plugins, whose types are TensorFlow.js', () => {
  const { exports: entries } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> };
  const names = Object.keys(entries).flatMap((path) => /^\.\/(\w+)$/.exec(path)?.[1] ?? []);
  expect(names.sort()).toEqual([...ENTRIES, 'plugins'].sort());
  expect(existsSync(join(root, 'docs/api/README.md'))).toBe(true);
});
