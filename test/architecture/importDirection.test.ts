import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replaceSection } from '#src/storage';
import {
  fileCircles,
  folderCircles,
  forbiddenImports,
  importsOf,
  ROOMS,
  reachableFiles,
  roomGraph,
  type SourceFile,
  strangeTwins,
} from './importRules.js';

const root = resolve(import.meta.dirname, '../..');

/** All TypeScript of the rooms; AssemblyScript is another language, and the compiler's output is not ours. */
const files: SourceFile[] = Object.keys(ROOMS).flatMap((room) => {
  const names = readdirSync(root).includes(room) ? readdirSync(join(root, room), { recursive: true }) : [];
  return names
    .map((name) => `${room}/${String(name).replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .filter((path) => !/(^|\/)(assembly|dist|node_modules|test)\//.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
});
const byPath = new Map(files.map((file) => [file.path, file]));

describe('the rooms of this repository', () => {
  it('are found', () => {
    expect(files.length).toBeGreaterThan(100);
    for (const room of Object.keys(ROOMS)) {
      expect(
        files.some(({ path }) => path.startsWith(`${room}/`)),
        room,
      ).toBe(true);
    }
  });

  it('import one way only, and other folders through their index alone', () => {
    expect(forbiddenImports(files)).toEqual([]);
  });

  it('have no circle of files', () => {
    expect(fileCircles(files)).toEqual([]);
  });

  it('have no circle of folders', () => {
    expect(folderCircles(files)).toEqual([]);
  });

  it('are drawn in docs/architecture.md (TOKENFUSE_UPDATE_DOCS=1 draws them again)', () => {
    const page = join(root, 'docs/architecture.md');
    const drawing = `\`\`\`mermaid\n${roomGraph(files)}\n\`\`\`\n`;
    if (process.env.TOKENFUSE_UPDATE_DOCS === '1') replaceSection(page, 'rooms', drawing);
    expect(readFileSync(page, 'utf8')).toContain(drawing);
  });

  it('have an index where one is imported', () => {
    const missing = files.flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => specifier.startsWith('#') && !byPath.has(`${specifier.slice(1)}/index.ts`))
        .map(({ specifier }) => `${file.path} → '${specifier}'`),
    );
    expect(missing).toEqual([]);
  });

  it('have modules for browsers that stand in for others', () => {
    expect(files.filter(({ path }) => path.endsWith('.browser.ts')).length).toBeGreaterThan(5);
    expect(strangeTwins(files)).toEqual([]);
  });

  it('keep metrics free of tensors: they run without an engine', () => {
    const engine = [...reachableFiles('captions/metrics/index.ts', byPath)].filter((path) =>
      path.startsWith('src/engine/'),
    );
    expect(engine).toEqual([]);
    expect(reachableFiles('captions/metrics/index.ts', byPath).size).toBeGreaterThan(5);
  });
});

describe('a planted import is reported:', () => {
  const indexes = ['vision/data/index.ts', 'vision/objectives/index.ts', 'src/kernels/pattention/index.ts'];
  const planted = (path: string, line: string): string[] =>
    forbiddenImports([{ path, text: line }, ...indexes.map((index) => ({ path: index, text: '' }))]);

  it.each([
    ['src to vision', 'src/training/x.ts', "import { a } from '#vision';", 'src must not import vision'],
    [
      'src to language, type alone',
      'src/cli/x.ts',
      "import type { A } from '#language';",
      'src must not import language',
    ],
    ['vision to language', 'vision/x.ts', "export * from '#language';", 'vision must not import language'],
    ['language to vision', 'language/a/x.ts', "import '#vision';", 'language must not import vision'],
    [
      'captions to language',
      'captions/metrics/x.ts',
      "import { a } from '#language';",
      'captions must not import language',
    ],
    ['captions to fusion', 'captions/metrics/x.ts', "import { a } from '#fusion';", 'captions must not import fusion'],
    [
      'fusion to evaluation',
      'fusion/x.ts',
      "import { a } from '#evaluation/traces';",
      'fusion must not import evaluation',
    ],
    ['fusion to scenes', 'fusion/x.ts', "import type { A } from '#scenes';", 'fusion must not import scenes'],
    ['evaluation to scenes', 'evaluation/x.ts', "import { a } from '#scenes';", 'evaluation must not import scenes'],
    ['fusion to experiments', 'fusion/x.ts', "import { a } from '#experiments';", 'fusion must not import experiments'],
    ['api to experiments', 'api/x.ts', "import { a } from '#experiments';", 'api must not import experiments'],
    [
      'the front door',
      'fusion/x.ts',
      "import { merge } from 'tokenfuse/fusion';",
      'nothing inside imports the package',
    ],
    ['a dynamic one', 'src/cli/x.ts', "const a = await import('#fusion');", 'src must not import fusion'],
    ['an imported type', 'src/cli/x.ts', "type A = import('#vision').A;", 'src must not import vision'],
    [
      'packages to src',
      'packages/tensorboard-writer/src/x.ts',
      "import '#src/errors';",
      'packages must not import src',
    ],
    ['TensorFlow.js', 'src/kernels/x.ts', "import * as tf from '@tensorflow/tfjs';", 'only src/engine imports'],
    ['TensorFlow.js by require', 'vision/x.ts', "require('@tensorflow/tfjs-core');", 'only src/engine imports'],
    ['past an index', 'fusion/x.ts', "import { a } from '#src/kernels/gelu';", 'only the index of a folder'],
    ['past a file name', 'fusion/x.ts', "import { a } from '#vision/backbone.js';", 'only the index of a folder'],
    ['a folder of its own, by #', 'src/kernels/x.ts', "import { a } from '#src/kernels';", 'imports are relative'],
    ['its own room, by #', 'language/x.ts', "import { a } from '#language';", 'imports are relative'],
    ['out of a folder of src', 'src/kernels/x.ts', "import { a } from '../engine/tf.js';", 'it leaves src/kernels'],
    ['out of a room', 'vision/data/x.ts', "import { a } from '../../src/errors/index.js';", 'it leaves vision'],
    ['past the index beside it', 'vision/x.ts', "import { a } from './data/augment.js';", 'only the index of a folder'],
    [
      'past the index of a neighbour',
      'vision/data/x.ts',
      "import { a } from '../objectives/classify.js';",
      'only the index',
    ],
  ])('%s', (_, path, line, rule) => {
    const edges = planted(path, `// a comment\n${line}\n`);
    expect(edges).toHaveLength(1);
    expect(edges[0]).toContain(`${path} → '`);
    expect(edges[0]).toContain(rule);
  });

  it.each([
    ['src/kernels/pattention/index.ts', "import { tf } from '#src/engine'; import { a } from '../fusedOp.js';"],
    ['src/engine/wasm/index.ts', "await import('@tensorflow/tfjs-backend-wasm');"],
    ['vision/objectives/x.ts', "import { a } from '../backbone.js'; import { b } from '../data/index.js';"],
    ['fusion/x.ts', "import '#vision'; import '#language'; import '#captions/metrics'; import { z } from 'zod';"],
    ['experiments/program.ts', "import { a } from './commands/train.js';"],
    ['experiments/x.ts', "import '#fusion'; import './y.js'; // import '#nothing'"],
    ['src/cli/x.ts', 'const text = "import { a } from \'#vision\'";'],
  ])('and what is right is not: %s', (path, line) => {
    expect(planted(path, line)).toEqual([]);
  });
});

describe('a module for browsers', () => {
  const original = {
    path: 'src/x/a.ts',
    text: 'export const a = 1, b = 2; export type T = 3; export function c() {}; export { d }',
  };

  it.each([
    ['export const a = 1, b = 2; const d = 4; export { c, d };', []],
    ['export const a = 1, b = 2; export { type c, d };', ['src/x/a.browser.ts: lacks c']],
    ['export const a = 1, b = 2, c = 3, d = 4, e = 5;', ['src/x/a.browser.ts: has e, which src/x/a.ts has not']],
  ])('of %s', (text, expected) => {
    expect(strangeTwins([original, { path: 'src/x/a.browser.ts', text }])).toEqual(expected);
  });

  it('without another is reported', () => {
    expect(strangeTwins([{ path: 'src/x/b.browser.ts', text: '' }])).toEqual([
      'src/x/b.browser.ts: expected src/x/b.ts beside it',
    ]);
  });
});

describe('circles', () => {
  const world = (entries: Record<string, string>): SourceFile[] =>
    Object.entries(entries).map(([path, text]) => ({ path, text }));

  it('of files are found, types left out', () => {
    const files = world({
      'fusion/a.ts': "import { b } from './b.js';",
      'fusion/b.ts': "import { c } from './c.js'; import type { D } from './d.js';",
      'fusion/c.ts': "export * from './a.js';",
      'fusion/d.ts': "import { a } from './a.js';",
    });
    expect(fileCircles(files)).toEqual([['fusion/a.ts', 'fusion/b.ts', 'fusion/c.ts']]);
  });

  it('of folders are found, re-exports left out', () => {
    const door = "export * from './methods/index.js';";
    const user = "import { a } from '../a.js';";
    expect(folderCircles(world({ 'fusion/index.ts': door, 'fusion/methods/x.ts': user }))).toEqual([]);
    const use = "import { x } from './methods/index.js';";
    expect(folderCircles(world({ 'fusion/b.ts': use, 'fusion/methods/x.ts': user }))).toEqual([
      ['fusion', 'fusion/methods'],
    ]);
  });
});

describe('roomGraph', () => {
  it('leaves out what follows from other edges', () => {
    const files = [
      { path: 'fusion/x.ts', text: "import '#vision'; import '#src/engine';" },
      { path: 'vision/x.ts', text: "import '#src/engine';" },
    ];
    expect(roomGraph(files)).toBe('flowchart TD\n  fusion --> vision\n  vision --> src');
  });
});

describe('reachableFiles', () => {
  const world = new Map(
    Object.entries({
      'captions/metrics/index.ts': "export * from './bleu.js'; import type { T } from '#src/kernels';",
      'captions/metrics/bleu.ts': "import { a } from '#src/errors';",
      'src/errors/index.ts': '',
      'src/kernels/index.ts': "import '#src/engine';",
      'src/engine/index.ts': '',
    }).map(([path, text]) => [path, { path, text }]),
  );

  it('follows imports, and types not', () => {
    expect([...reachableFiles('captions/metrics/index.ts', world)].sort()).toEqual([
      'captions/metrics/bleu.ts',
      'captions/metrics/index.ts',
      'src/errors/index.ts',
    ]);
    expect(reachableFiles('src/kernels/index.ts', world)).toContain('src/engine/index.ts');
  });
});
