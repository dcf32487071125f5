import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captionImageFiles } from '#fusion';
import { Decoding } from '#language';
import { selectEngine } from '#src/engine';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { tinyJointModel } from '../support/tinyJointModel.js';

const root = join(import.meta.dirname, '../..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  bundleDependencies: string[];
  exports: Record<string, unknown>;
};

const CONSUMER = `
import { loadModel, type Model, selectEngine, UserError } from 'tokenfuse';
import { evaluate, type EvaluationResult } from 'tokenfuse/evaluation';
import { merge, type MergePlan, planMerge } from 'tokenfuse/fusion';
import { createLanguageModel, type LanguageModel } from 'tokenfuse/language';
import { type CaptionScores, scoreCaptions } from 'tokenfuse/metrics';
import { pattention, type StackConfig, type TensorData } from 'tokenfuse/tokenformer';
import { loadVisionModel, type VisionModel } from 'tokenfuse/vision';

export async function describe(path: string, image: string): Promise<{ caption: string; bleu1: number; theta: number[] }> {
  await selectEngine('wasm');
  using model: Model = await loadModel(path);
  const [caption] = await model.caption([image], { maxTokens: 6 });
  const scores: CaptionScores = scoreCaptions(new Map([[1, caption]]), new Map([[1, [caption, 'a red square']]]));
  await selectEngine('cpu');
  const theta = await pattention(
    { shape: [1, 1], values: Float32Array.of(2) },
    {
      keyParamTokens: { shape: [2, 1], values: Float32Array.of(1, -1) },
      valueParamTokens: { shape: [2, 1], values: Float32Array.of(10, 100) },
      normActivation: 'plainRelu',
    },
  );
  return { caption, bleu1: scores.bleu1, theta: [...theta.values] };
}

const stack: StackConfig = {
  dModel: 8, numLayers: 1, numHeads: 2, qkvParamTokens: 4, outputParamTokens: 4, ffnParamTokens: 4,
};
export const language: () => Promise<LanguageModel> = () =>
  createLanguageModel({ stack, seqLen: 8, tokenizer: { kind: 'tiktoken', encoding: 'gpt2' } });
export const vision: (path: string) => Promise<VisionModel> = loadVisionModel;
export const plan: (vision: string, language: string) => MergePlan = (v, l) => planMerge({ vision: v, language: l });
export const y: (x: TensorData) => Promise<TensorData> = (x) =>
  pattention(x, { keyParamTokens: x, valueParamTokens: x });
export const others: unknown[] = [merge, evaluate, UserError, undefined as EvaluationResult | undefined];
`;

const PLUGIN = `
import { type NormActivation, registerNormActivation, tf } from 'tokenfuse/plugins';

const relu: NormActivation = {
  name: 'plainRelu',
  description: 'ReLU of the scores',
  equation: 'Θ(A) = ReLU(τ A)',
  weights: (scores, { tau }) => tf.relu(tf.mul(scores, tau)),
  tau: () => 1,
  exactZeroKeys: true,
};
registerNormActivation(relu);
`;

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

let folder: string;
let packed: Packed;
let paths: string[];

beforeAll(() => {
  if (!existsSync(join(root, 'dist/api/index.js')))
    throw new Error('expected a built package; run npm run build first');
  folder = mkdtempSync(join(tmpdir(), 'tokenfuse-package-'));
  const words = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const said: unknown = JSON.parse(execFileSync('npm', words, { cwd: root, encoding: 'utf8' }));
  // npm 11 gives a list, later ones an object by name.
  [packed] = Object.values(said as Record<string, Packed>);
  paths = packed.files.map(({ path }) => path);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the packed package', () => {
  it('has what README points to, every entry and the sources that the installation compiles', () => {
    const entries = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'object' && entry !== null && 'types' in entry && 'default' in entry
        ? [String(entry.types), String(entry.default)]
        : [],
    );
    const links = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(
      ([, path]) => path.replace(/\/$/, ''),
    );
    const wanted = [
      ...entries.map((path) => path.slice('./'.length)),
      ...links,
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'experiments/RESULTS.md',
      'experiments/quickstart/pipeline.yaml',
      'src/engine/native/build.mjs',
      'src/engine/native/cpp/addon.cc',
      'src/engine/cuda/cpp/bindings.cc',
      'src/engine/cuda/source/device.cuh',
      'dist/src/engine/wasm/kernels.wasm',
      'dist/src/engine/coreAdditions/additions.cjs',
      'dist/experiments/main.js',
      'dist/web/site/page.js',
      'dist/web/site/worker.js',
      'node_modules/tensorboard-writer/dist/index.js',
    ];
    expect(entries).toHaveLength(16);
    expect(wanted.filter((path) => !paths.some((own) => own === path || own.startsWith(`${path}/`)))).toEqual([]);
  });

  it('has what each of its pages links to', () => {
    const pages = paths.filter((path) => path.endsWith('.md') && !path.startsWith('node_modules/'));
    const broken = pages.flatMap((page) => {
      const text = readFileSync(join(root, page), 'utf8').replaceAll(/```.*?```|`[^`]*`/gs, '');
      const links = [...text.matchAll(/(?:\]\(|src=")(?!https?:|#)([^)#\s"]+)/g)].map(([, link]) => link);
      return links
        .map((link) => posix.join(posix.dirname(page), link).replace(/\/$/, ''))
        .filter((path) => !paths.some((own) => own === path || own.startsWith(`${path}/`)))
        .map((path) => `${page} → ${path}`);
    });
    expect(pages).toContain('docs/quickstart.md');
    expect(broken).toEqual([]);
  });

  it('has no tests, benches, build records, maps or binaries, and stays small', () => {
    // README and docs point to what bench/README.md says.
    const pages = ['bench/README.md'];
    const others = paths.filter((path) => !pages.includes(path));
    expect(
      others.filter((path) => /^(dist\/)?(test|bench)\/|\.tsbuildinfo$|\.map$|\.node$|\.log$|tsconfig/.test(path)),
    ).toEqual([]);
    // Of it 0.4 MB are the scripts of a page, TensorFlow.js within, and 0.25 MB pictures of the docs: measured 2.29 MB, unpacked 9.65.
    expect(packed.size).toBeLessThan(2.3e6);
    expect(packed.unpackedSize).toBeLessThan(9.7e6);
  });
});

describe('an empty TypeScript project with the package', () => {
  it('compiles strictly with all declarations checked, captions an image, scores the caption, registers a Θ', async () => {
    const project = join(folder, 'project');
    install(project);
    const write = (name: string, text: string): void => writeFileSync(join(project, name), text);
    write('consumer.ts', CONSUMER);
    write('package.json', JSON.stringify({ type: 'module' }));
    write('plugin.ts', PLUGIN);
    const compiled = (file: string, settings: Record<string, unknown>): string => {
      const compilerOptions = { target: 'ES2022', module: 'NodeNext', strict: true, types: [], ...settings };
      write('tsconfig.json', JSON.stringify({ compilerOptions, files: [file] }));
      return compile(project);
    };
    expect(compiled('consumer.ts', { skipLibCheck: false, lib: ['ES2022'] })).toBe('');
    expect(compiled('consumer.ts', { skipLibCheck: false })).toBe('');
    expect(compiled('plugin.ts', { skipLibCheck: true })).toBe('');

    await selectEngine('wasm');
    const captions = await writeTinyCaptions(folder, ['red']);
    const model = tinyJointModel(folder);
    const image = join(dirname(captions), 'images', 'red.png');
    const decoding = Decoding.parse({ method: 'greedy', maxTokens: 6 });
    const files = [{ id: 0, fileName: 'red.png', path: image }];
    const expected: string[] = [];
    for await (const batch of captionImageFiles(model, files, { decoding, batchSize: 1 })) {
      expected.push(...batch.map(({ candidates }) => candidates[0].caption));
    }
    model.dispose();

    write(
      'run.mjs',
      `import './plugin.js';
      import { describe } from './consumer.js';
      console.log(JSON.stringify(await describe(...process.argv.slice(2))));`,
    );
    const said = execFileSync(process.execPath, ['run.mjs', join(folder, 'merged'), image], {
      cwd: project,
      encoding: 'utf8',
    });
    expect(JSON.parse(said)).toEqual({ caption: expected[0], bleu1: expect.closeTo(1), theta: [20] });
  }, 120_000);
});

/** Unpacks the package into a project's node_modules; its dependencies are links to this repository's. */
function install(project: string): void {
  const modules = join(project, 'node_modules');
  const own = join(modules, 'tokenfuse');
  mkdirSync(own, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, packed.filename), '-C', own, '--strip-components=1']);
  for (const name of Object.keys(manifest.dependencies)) {
    if (manifest.bundleDependencies.includes(name)) continue;
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
}

/** What the compiler says, nothing when all is well. */
function compile(project: string): string {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  try {
    return execFileSync(process.execPath, [compiler, '-p', project], { encoding: 'utf8' });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}
