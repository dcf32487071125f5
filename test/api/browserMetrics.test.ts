import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import * as inNode from 'tokenfuse/metrics';
import { build } from 'vite';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporaryFolder.js';

const root = join(import.meta.dirname, '../..');

/** Bundles the built `tokenfuse/metrics` for browsers as one script that sets `metrics`. */
async function browserBundle(): Promise<{ code: string; imports: string[] }> {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/tokenfuse'));
  writeFileSync(join(folder, 'entry.js'), "export * from 'tokenfuse/metrics';");
  const result = await build({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      minify: false,
      lib: { entry: join(folder, 'entry.js'), formats: ['iife'], name: 'metrics' },
    },
  });
  const [{ output }] = result as { output: { code: string; imports: string[] }[] }[];
  return output[0];
}

it('gives the same numbers in a browser bundle, without anything of Node.js', async () => {
  const { code, imports } = await browserBundle();
  expect(imports).toEqual([]);
  // What Vite puts in the place of a Node.js module.
  expect(code).not.toMatch(/browser-external|node:/);

  const references = new Map([
    [1, ['A red circle above a blue square.', 'a circle over a square']],
    [2, ['two grey dogs run', "the dogs don't stop"]],
    [3, ['A man (in black) rides a bike']],
  ]);
  const a = new Map([
    [1, 'a red circle over a blue square'],
    [2, 'dogs running'],
    [3, 'a man on a bike'],
  ]);
  const b = new Map([...a, [2, 'two dogs run']]);
  const numbers = ({
    scoreCaptions,
    compareCaptions,
    bootstrapInterval,
    captionDiagnostics,
  }: typeof inNode): string => {
    const scores = scoreCaptions(a, references);
    return JSON.stringify([
      scores,
      compareCaptions(a, b, references, { seed: 3, samples: 200 }),
      bootstrapInterval(
        scores.perImage.map(({ ciderD }) => ciderD),
        7,
        100,
      ),
      captionDiagnostics(a, references),
    ]);
  };
  // What a browser has besides the language itself and the metrics ask for.
  const context = createContext({ TextEncoder });
  runInContext(code, context);
  expect(numbers(runInContext('metrics', context) as typeof inNode)).toBe(numbers(inNode));
});
