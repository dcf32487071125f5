import { posix } from 'node:path';
import { parseAst } from 'vite';

/** A source file by its path from the root of the repository, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly specifier: string;
  /** Erased by the compiler: it counts for the direction, but brings no code. */
  readonly typeOnly: boolean;
  /** `export … from`: it opens a door, and its file uses nothing of what is behind. */
  readonly reExport: boolean;
}

/** The rooms that each room may import from, itself not named. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  packages: [],
  src: [],
  vision: ['src'],
  // The captions of a data set are text too.
  language: ['src', 'captions'],
  captions: ['src'],
  scenes: ['src', 'captions'],
  pictures: ['src'],
  fusion: ['src', 'captions', 'vision', 'language'],
  evaluation: ['src', 'captions', 'vision', 'language', 'fusion'],
  serving: ['src', 'captions', 'vision', 'language', 'fusion', 'evaluation'],
  comparison: ['src', 'captions', 'evaluation'],
  api: ['src', 'captions', 'vision', 'language', 'scenes', 'fusion', 'evaluation'],
  web: ['src', 'captions', 'vision', 'language', 'fusion', 'evaluation'],
  experiments: [
    'src',
    'captions',
    'vision',
    'language',
    'scenes',
    'pictures',
    'fusion',
    'evaluation',
    'serving',
    'comparison',
    'web',
  ],
};

/** Rooms that are entered folder by folder (`#src/kernels`); the others have one door, evaluation also those of its folders. */
const BY_FOLDER: ReadonlySet<string> = new Set(['src', 'captions']);

const ROOM_IMPORT =
  /^#(?:(src|captions|evaluation)\/([A-Za-z]+)|(vision|language|fusion|scenes|pictures|evaluation|serving|comparison|web|experiments))$/;

/**
 * Every import that breaks the rules of the house, as `file → 'specifier': rule`.
 *
 * - Rooms import one way, as `ROOMS` says. Vision and language do not know each other.
 * - Another folder is reached through its index alone: `#src/kernels`, `#vision`, `./data/index.js`. A folder inside a
 *   room that has no index is a shelf of single files.
 * - Only src/engine imports TensorFlow.js.
 * - `tokenfuse`, the package as others see it, is for others.
 */
export function forbiddenImports(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path));
  return files.flatMap((file) =>
    importsOf(file).flatMap(({ specifier }) => {
      const rule = brokenRule(file.path, specifier, paths);
      return rule === undefined ? [] : [`${file.path} → '${specifier}': ${rule}`];
    }),
  );
}

function brokenRule(path: string, specifier: string, paths: ReadonlySet<string>): string | undefined {
  const room = path.split('/')[0];
  if (specifier.startsWith('@tensorflow/') && !path.startsWith('src/engine/')) {
    return "only src/engine imports TensorFlow.js; write `import { tf } from '#src/engine'`";
  }
  if (/^tokenfuse(\/|$)/.test(specifier)) return 'nothing inside imports the package by its name';
  if (specifier.startsWith('#')) {
    const match = ROOM_IMPORT.exec(specifier);
    if (match === null) return 'only the index of a folder is imported from outside';
    const target = match[1] ?? match[3];
    if (folderOf(path) === specifier.slice(1)) return 'inside a folder, imports are relative';
    if (target !== room && !ROOMS[room].includes(target)) return `${room} must not import ${target}`;
    if (target === room && !BY_FOLDER.has(room)) return 'inside a room, imports are relative';
    return undefined;
  }
  if (!specifier.startsWith('.')) return undefined;
  const target = posix.join(posix.dirname(path), specifier);
  if (folderOf(target) !== folderOf(path)) return `it leaves ${folderOf(path)}; use an import that starts with #`;
  const index = `${posix.dirname(target)}/index.ts`;
  const entered = posix
    .relative(posix.dirname(path), target)
    .replace(/^(\.\.\/)+/, '')
    .includes('/');
  if (entered && posix.basename(target) !== 'index.js' && paths.has(index)) {
    return 'only the index of a folder is imported from outside';
  }
  return undefined;
}

/** What is reached from outside by one name: a folder of src, or a whole room. */
function folderOf(path: string): string {
  const parts = path.split('/');
  return BY_FOLDER.has(parts[0]) || parts[0] === 'packages' ? parts.slice(0, 2).join('/') : parts[0];
}

/** Which of `files` a file brings with it when it is run, itself among them; type imports bring nothing. */
export function reachableFiles(start: string, files: ReadonlyMap<string, SourceFile>): Set<string> {
  const reached = new Set<string>();
  const open = [start];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const file = files.get(path);
    if (file === undefined || reached.has(path)) continue;
    reached.add(path);
    for (const { specifier, typeOnly } of importsOf(file)) {
      if (typeOnly) continue;
      const target = targetOf(path, specifier);
      if (target !== undefined) open.push(target);
    }
  }
  return reached;
}

/** The file that an import of this repository leads to; undefined for packages. */
function targetOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return `${specifier.slice(1)}/index.ts`;
  if (!specifier.startsWith('.')) return undefined;
  return posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');
}

/** Groups of files that need one another in a circle when they run; types are erased and do not count. */
export function fileCircles(files: readonly SourceFile[]): string[][] {
  return circles(
    files.map((file): [string, string[]] => [
      file.path,
      importsOf(file).flatMap(({ specifier, typeOnly }) => (typeOnly ? [] : (targetOf(file.path, specifier) ?? []))),
    ]),
  );
}

/**
 * Groups of folders whose files need one another in a circle when they run; re-exports, which an index is made of, do not
 * count, nor types.
 */
export function folderCircles(files: readonly SourceFile[]): string[][] {
  return circles(
    files.map((file): [string, string[]] => {
      const folder = posix.dirname(file.path);
      const targets = importsOf(file)
        .filter(({ reExport, typeOnly }) => !reExport && !typeOnly)
        .flatMap(({ specifier }) => targetOf(file.path, specifier) ?? []);
      return [folder, targets.map((target) => posix.dirname(target)).filter((target) => target !== folder)];
    }),
  );
}

/** Which rooms import which, as a Mermaid flowchart; an edge that follows from two others is left out. */
export function roomGraph(files: readonly SourceFile[]): string {
  const reached = new Map<string, Set<string>>();
  for (const file of files) {
    const room = file.path.split('/')[0];
    const targets = reached.get(room) ?? new Set();
    for (const { specifier } of importsOf(file)) {
      const target = targetOf(file.path, specifier)?.split('/')[0];
      if (target !== undefined && target !== room) targets.add(target);
    }
    reached.set(room, targets);
  }
  const lines = [...reached].flatMap(([room, targets]) =>
    [...targets]
      .filter((target) => ![...targets].some((other) => other !== target && reached.get(other)?.has(target)))
      .map((target) => `  ${room} --> ${target}`),
  );
  return ['flowchart TD', ...lines.sort()].join('\n');
}

/** The strongly connected components of more than one node (Tarjan). */
function circles(edges: readonly (readonly [string, readonly string[]])[]): string[][] {
  const targets = new Map<string, Set<string>>();
  for (const [from, to] of edges) targets.set(from, new Set([...(targets.get(from) ?? []), ...to]));
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const found: string[][] = [];
  const visit = (node: string): void => {
    order.set(node, order.size);
    lowest.set(node, order.get(node) as number);
    open.push(node);
    for (const next of targets.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      if (open.includes(next)) lowest.set(node, Math.min(lowest.get(node) as number, lowest.get(next) as number));
    }
    if (lowest.get(node) !== order.get(node)) return;
    const circle = open.splice(open.indexOf(node));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const node of targets.keys()) if (!order.has(node)) visit(node);
  return found;
}

/** Static and dynamic imports, exports from elsewhere, and `require` of a literal. */
export function importsOf({ path, text }: SourceFile): Import[] {
  const found: Import[] = [];
  const add = (source: unknown, typeOnly: boolean, reExport = false): void => {
    if (isNode(source) && typeof source.value === 'string') {
      found.push({ specifier: source.value, typeOnly, reExport });
    }
  };
  const visit = (node: Node): void => {
    switch (node.type) {
      case 'ImportDeclaration':
        add(node.source, node.importKind === 'type');
        break;
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration':
        add(node.source, node.exportKind === 'type', true);
        break;
      case 'TSImportType':
        add(node.source, true);
        break;
      case 'ImportExpression':
        add(node.source, false);
        break;
      case 'CallExpression':
        if (isNode(node.callee) && node.callee.name === 'require' && Array.isArray(node.arguments))
          add(node.arguments[0], false);
        break;
    }
    for (const child of Object.values(node).flat()) if (isNode(child)) visit(child);
  };
  visit(parseAst(text, { lang: 'ts' }, path) as unknown as Node);
  return found;
}

/** What is wrong with modules for browsers: in a page, X.browser.ts takes the place of X.ts beside it, so it exports the same values. */
export function strangeTwins(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  return files
    .filter(({ path }) => path.endsWith('.browser.ts'))
    .flatMap((twin) => {
      const original = byPath.get(twin.path.replace('.browser.ts', '.ts'));
      if (original === undefined)
        return [`${twin.path}: expected ${twin.path.replace('.browser.ts', '.ts')} beside it`];
      const [own, others] = [exportedValues(twin), exportedValues(original)];
      const missing = others.filter((name) => !own.includes(name));
      const more = own.filter((name) => !others.includes(name));
      return [
        ...missing.map((name) => `${twin.path}: lacks ${name}`),
        ...more.map((name) => `${twin.path}: has ${name}, which ${original.path} has not`),
      ];
    });
}

/** Names that a file declares or lists as exports, types left out. */
function exportedValues({ path, text }: SourceFile): string[] {
  const { body } = parseAst(text, { lang: 'ts' }, path) as unknown as { readonly body: readonly Node[] };
  const nameOf = (node: unknown): string[] => (isNode(node) && typeof node.name === 'string' ? [node.name] : []);
  return body
    .filter(({ type, exportKind }) => type === 'ExportNamedDeclaration' && exportKind !== 'type')
    .flatMap(({ declaration, specifiers }) => [
      ...(isNode(declaration) && !declaration.type.startsWith('TS')
        ? [...nameOf(declaration.id), ...nodesIn(declaration.declarations).flatMap(({ id }) => nameOf(id))]
        : []),
      ...nodesIn(specifiers).flatMap(({ exported, exportKind }) => (exportKind === 'type' ? [] : nameOf(exported))),
    ]);
}

function nodesIn(value: unknown): Node[] {
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** A node of an ESTree, with whatever fields its type has. */
interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}
