import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import '../../docs/examples/fusionMethod.js';
import { tinyAlignment } from '../support/tinyAlign.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { tinyRecipe } from '../support/tinyJointModel.js';
import { refusal, tokenfuseProcess, writeExperiment } from '../support/tokenfuse.js';

describe('--plugin', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
  /** Outside of the package, as a user's own file is. */
  const example = join(folder, 'fusionMethod.ts');
  const plugin = ['--plugin', example];

  beforeAll(async () => {
    copyFileSync(join(import.meta.dirname, '../../docs/examples/fusionMethod.ts'), example);
    writeTinyBackbones(folder);
    await writeTinyCaptions(folder);
    writeExperiment(folder, { ...tinyRecipe({ method: 'sharedBridge' }) });
    writeExperiment(folder, { ...tinyAlignment() });
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('makes a TypeScript file’s method known to merge, align and caption', { timeout: 120_000 }, async () => {
    const engine = ['--engine', 'wasm'];
    const merge = await tokenfuseProcess(['merge', 'merge.yaml', ...plugin], folder);
    expect(merge.code, merge.stderr).toBe(0);
    expect(merge.stdout).toContain('sharedBridge');
    const unknown = await refusal(['caption', 'merged', 'images', ...engine], folder, 2, tokenfuseProcess);
    expect(unknown).toContain("model.json: 'fusion.method': expected routed, grouped, union, crossAttention, prefix;");
    expect(unknown).toContain("got 'sharedBridge'; --plugin <file> registers a method of your own");
    const align = await tokenfuseProcess(['align', 'align.yaml', ...plugin, ...engine], folder);
    expect(align.code, align.stderr).toBe(0);
    expect(align.stdout).toMatch(/gates +4 +0\n/);
    const words = ['caption', 'align', 'images', '--max-tokens', '4', '--json', ...plugin, ...engine];
    const caption = await tokenfuseProcess(words, folder);
    expect(caption.code, caption.stderr).toBe(0);
    expect(JSON.parse(caption.stdout).predictions).toHaveLength(8);
  });

  it('is handed to the stages of a pipeline, which are processes of their own', async () => {
    const module = (name: string) => pathToFileURL(join(import.meta.dirname, '../../dist/experiments', name)).href;
    const script = `
      const { loadPlugins } = await import('${module('stages/plugins.js')}');
      const { startChild } = await import('${module('stages/childProcess.js')}');
      await loadPlugins([${JSON.stringify(example)}]);
      const output = { line: () => undefined, interactive: false };
      const words = ['merge', 'merge.yaml', '--out', 'by-child'];
      const { finished } = startChild('merge', words, output, new AbortController().signal, undefined);
      console.log((await finished).recipe.fusion.method);`;
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: folder });
    expect(stdout).toBe('sharedBridge\n');
  });

  it.each([
    ['nothing.ts', undefined, "--plugin: cannot find 'nothing.ts'"],
    ['notes.txt', '', "--plugin: expected a .ts, .mts, .js or .mjs file, got 'notes.txt'"],
    ['broken.ts', 'const a: number = ;', 'broken.ts:1: Expression expected'],
    ['throws.mjs', "throw new Error('no luck');", '--plugin throws.mjs: no luck'],
    ['enum.ts', 'enum A { B }', 'TypeScript enum is not supported in strip-only mode'],
  ])('refuses in one line %s', async (name, text, message) => {
    if (text !== undefined) writeFileSync(join(folder, name), text);
    expect(await refusal(['merge', 'merge.yaml', '--plugin', name], folder, 2, tokenfuseProcess)).toContain(message);
  });
});
