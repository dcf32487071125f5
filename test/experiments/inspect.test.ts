import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Inspection } from '#evaluation/inspection';
import { LanguageExperiment } from '#language';
import { selectEngine } from '#src/engine';
import { VisionExperiment } from '#vision';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { TINY_STACK, writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { mergeTiny } from '../support/tinyJointModel.js';
import { refusal, tokenfuse } from '../support/tokenfuse.js';

beforeAll(async () => {
  await selectEngine('cpu');
});

const ENGINE = ['--engine', 'cpu'];

/** Two runs and a merged model, as `tokenfuse train` and `merge` leave them, with the data that the runs were validated on. */
async function prepared(): Promise<string> {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  mergeTiny(folder);
  await writeTinyCaptions(folder, ['red', 'green', 'blue']);
  writeFileSync(join(folder, 'train.txt'), 'a red square\n'.repeat(9));
  writeFileSync(join(folder, 'val.txt'), 'the square is blue\na green square\n');
  const training = { steps: 1, batchSize: 4, learningRate: 0.01 };
  makeRun(folder, 'vision', VisionExperiment, {
    ...{ kind: 'vision', name: 'seeing', training, objectives: [{ kind: 'classify' }] },
    model: { imageSize: 16, patchSize: 8, stack: TINY_STACK },
    data: { train: { kind: 'folder', path: 'images', validationShare: 0.999 } },
  });
  makeRun(folder, 'language', LanguageExperiment, {
    ...{ kind: 'language', name: 'reading', training, model: { stack: TINY_STACK } },
    tokenizer: { kind: 'bpe', path: 'tokenizer.json' },
    data: {
      ...{ files: ['train.txt'], validationFiles: ['val.txt'], documents: 'line' },
      ...{ layout: 'documents', seqLen: 16 },
    },
  });
  return folder;
}

/** `<folder>/<name>` with a checkpoint of the model at `<folder>/<kind>`. */
function makeRun(
  folder: string,
  kind: 'vision' | 'language',
  schema: typeof VisionExperiment | typeof LanguageExperiment,
  config: Readonly<Record<string, unknown>> & { readonly name: string },
): void {
  const run = join(folder, config.name);
  mkdirSync(join(run, 'checkpoints'), { recursive: true });
  cpSync(join(folder, kind), join(run, 'checkpoints', 'step-1'), { recursive: true });
  writeFileSync(join(run, 'checkpoints', 'last.json'), JSON.stringify({ directory: 'step-1' }));
  writeFileSync(join(run, 'config.json'), JSON.stringify(schema.parse(config)));
  writeFileSync(join(run, 'metrics.jsonl'), '');
}

function resultIn(folder: string): Inspection {
  return JSON.parse(readFileSync(join(folder, 'inspection.json'), 'utf8')) as Inspection;
}

/** Name and hash of every file below a folder. */
function contentOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => {
      const hash = createHash('sha256').update(readFileSync(join(parentPath, name)));
      return `${join(parentPath, name)} ${hash.digest('hex')}`;
    })
    .sort();
}

describe('tokenfuse inspect', () => {
  it('reads the validation data of a run, from wherever it is called, and changes nothing in it', async () => {
    const folder = await prepared();
    const before = contentOf(join(folder, 'seeing'));
    const elsewhere = temporaryFolder();
    const run = join(folder, 'seeing');
    const { code, stdout, stderr } = await tokenfuse(['inspect', run, ...ENGINE], elsewhere);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('10 groups, 66 parameter tokens, ');
    const { data, groups } = resultIn(join(elsewhere, 'seeing-inspection'));
    expect(data).toEqual({ images: { source: 'images', count: 3 }, texts: null });
    expect(groups[0].uses[0]).toMatchObject({ stream: 'image', rows: 3 * 4 });
    expect(readdirSync(join(elsewhere, 'seeing-inspection')).sort()).toEqual(['inspection.html', 'inspection.json']);
    expect(contentOf(join(folder, 'seeing'))).toEqual(before);
  });

  it('takes a checkpoint of a run, and gives the same bytes again', async () => {
    const folder = await prepared();
    const words = ['inspect', 'reading/checkpoints/step-1', ...ENGINE];
    expect((await tokenfuse(words, folder)).code).toBe(0);
    const out = join(folder, 'reading-step-1-inspection');
    expect(resultIn(out).texts.map(({ tokens }) => tokens.slice(1).join(''))).toEqual([
      'the square is blue',
      'a green square',
    ]);
    const { code } = await tokenfuse([...words, '--out', 'again'], folder);
    expect(code).toBe(0);
    for (const name of ['inspection.html', 'inspection.json']) {
      expect(readFileSync(join(folder, 'again', name)).equals(readFileSync(join(out, name)))).toBe(true);
    }
  });

  it('reads no more of the validation text than the limit', async () => {
    const folder = await prepared();
    writeFileSync(join(folder, 'val.txt'), 'the square is blue\n'.repeat(40));
    const words = ['inspect', 'reading', '--limit', '33', '--json', ...ENGINE];
    expect(JSON.parse((await tokenfuse(words, folder)).stdout).data.texts).toEqual({ source: 'val.txt', count: 33 });
    const [{ uses }] = resultIn(join(folder, 'reading-inspection')).groups;
    const { tokens } = resultIn(join(folder, 'reading-inspection')).texts[0];
    expect(uses[0].rows).toBe(33 * tokens.length);
  });

  it('shows a merged model without data, and with captions that are named', async () => {
    const folder = await prepared();
    const bare = await tokenfuse(['inspect', 'merged', ...ENGINE], folder);
    expect(bare.stdout).toContain('no data: the parameters alone were inspected; name data with --images, --text');
    expect(resultIn(join(folder, 'merged-inspection')).data).toBeNull();
    const words = ['inspect', 'merged', '--captions', 'captions.json', '--limit', '3', '--out', 'with', ...ENGINE];
    const { stdout } = await tokenfuse([...words, '--json'], folder);
    expect(JSON.parse(stdout)).toMatchObject({ groups: 32, data: { images: { count: 2 }, texts: { count: 3 } } });
  });

  it('refuses what it cannot do, in one line', async () => {
    const folder = await prepared();
    const said = (...words: string[]) => refusal(['inspect', ...words, ...ENGINE], folder, 2);
    expect(await said('gone')).toContain('cannot find a model at gone');
    expect(await said('merged', '--out', 'seeing/inside')).toContain('lies inside');
    expect(await said('merged', '--text', 'gone.txt')).toContain('gone.txt');
    expect(await said('vision', '--text', 'val.txt')).toContain('--text: has no effect on a vision model');
    expect(await said('merged', '--no-data', '--text', 'val.txt')).toContain('--no-data: expected no data beside it');
    expect(await said('merged', '--captions', 'captions.json', '--text', 'val.txt')).toContain('and no --text');
    expect(await said('merged', '--dead-share', '2')).toContain('--dead-share: expected a number from 0 to below 1');
    expect(await said('merged', '--limit', '0')).toContain('--limit: expected a whole number from 1');
    expect(await said('seeing', '--root', 'images')).toMatch(/validation data of .*; give --root, where the paths/);
    expect(existsSync(join(folder, 'merged-inspection'))).toBe(false);
    mkdirSync(join(folder, 'merged-inspection'));
    writeFileSync(join(folder, 'merged-inspection', 'mine'), '');
    expect(await said('merged')).toContain('or give --overwrite');
  });
});
