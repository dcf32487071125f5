/**
 * @file Bundles the page's two scripts to dist/web/site; part of `npm run build`.
 *
 * A module X.js with X.browser.js beside it is replaced by that one. Node's own modules and packages that need Node must not be reached
 * by anything that the page calls: what it does not call is left out, and the bundling fails where an import of them is still there.
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const target = join(dist, 'web', 'site');
mkdirSync(target, { recursive: true });

/** Packages that need Node. */
const NOT_FOR_PAGES = ['sharp', 'tiktoken', 'tiktoken/lite', 'tensorboard-writer', '@swc/wasm-typescript'];

const browserTwins = {
  name: 'browser-twins',
  async resolveId(source, importer) {
    const resolved = await this.resolve(source, importer, { skipSelf: true });
    if (resolved === null || resolved.external || !resolved.id.startsWith(`${dist}/`)) return null;
    const twin = resolved.id.replace(/\.js$/, '.browser.js');
    return existsSync(twin) ? twin : null;
  },
};

const characterClassRuns = runsOfCharacterClasses(
  (await import(join(dist, 'language', 'tokenizer', 'classifyCharacters.js'))).classifyCharacters,
);

for (const name of ['page', 'worker']) {
  const input = join(dist, 'web', 'page', name === 'page' ? 'main.js' : 'worker.js');
  const { output } = await build({
    input,
    platform: 'browser',
    write: false,
    external: (id) => isBuiltin(id) || NOT_FOR_PAGES.includes(id),
    plugins: [browserTwins],
    transform: { define: { CHARACTER_CLASS_RUNS: JSON.stringify(characterClassRuns) } },
    treeshake: {
      // Modules of this project do nothing when they are loaded; an entry does, and those for browsers load backends.
      moduleSideEffects: (id) => (id.startsWith(`${dist}/`) ? id === input || id.endsWith('.browser.js') : undefined),
      manualPureFunctions: ['z'],
    },
    resolve: { conditionNames: ['default', 'import', 'module', 'browser'] },
    output: { format: 'iife', minify: true, codeSplitting: false },
  });
  const [{ code, imports, modules }] = output;
  const usesNode = Object.entries(modules)
    .filter(([id, module]) => id.startsWith(dist) && /\b(?:Buffer|process)\.\w/.test(module.code ?? ''))
    .map(([id]) => relative(dist, id));
  if (imports.length > 0 || usesNode.length > 0) {
    throw new Error(
      `web/bundle.mjs: expected ${name}.js to need nothing of Node, got ${[...imports, ...usesNode].join(', ')}`,
    );
  }
  const aside = join(target, `${name}.js.${process.pid}.partial`);
  writeFileSync(aside, code);
  renameSync(aside, join(target, `${name}.js`));
}

/** The classes of all characters, in the form that language/tokenizer/classifyCharacters.browser.ts reads. */
function runsOfCharacterClasses(classifyCharacters) {
  const page = 4096;
  const runs = [];
  for (let first = 0; first < 0x110000; first += page) {
    for (const value of classifyCharacters(first, page)) {
      if (runs.length > 0 && runs[runs.length - 2] === value) runs[runs.length - 1]++;
      else runs.push(value, 1);
    }
  }
  return runs.map((number) => number.toString(36)).join(' ');
}
