import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { writeMiniPipeline } from '../support/miniPipeline.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { tinyAlignment } from '../support/tinyAlign.js';
import { TINY_STACK, type TinyBackboneOptions, writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeCaptionsJson, writeTinyCaptions } from '../support/tinyCaptions.js';
import { mergeTiny, tinyRecipe } from '../support/tinyJointModel.js';
import { refusal, tokenfuse, writeExperiment } from '../support/tokenfuse.js';

const training = { steps: 2, batchSize: 2, learningRate: 0.01 };
const { rotaryBase: _, ...stack } = TINY_STACK;

/** Trains on the class folders in `images`. */
const visionExperiment = {
  kind: 'vision',
  name: 'vision-run',
  model: { imageSize: 16, patchSize: 8, stack },
  objectives: [{ kind: 'classify' }],
  data: { train: { kind: 'classFolders', path: 'images', validationShare: 0.3 } },
  training,
};

const languageExperiment = {
  kind: 'language',
  name: 'language-run',
  model: { stack },
  tokenizer: { kind: 'bpe', path: 'tokenizer.json' },
  data: { files: ['text.txt'], documents: 'line', seqLen: 8, validationShare: 0.3 },
  training,
};

async function writeClassFolders(folder: string, type: 'png' | 'jpg' = 'png'): Promise<string[]> {
  const paths = ['red', 'green', 'blue', 'white'].flatMap((name) =>
    [1, 2, 3].map((i) => ({ name, path: join(folder, 'images', name, `${i}.${type}`) })),
  );
  for (const { name, path } of paths) {
    mkdirSync(join(folder, 'images', name), { recursive: true });
    const noise = { type: 'gaussian', mean: 128, sigma: 50 } as const;
    await sharp({ create: { width: 40, height: 40, channels: 3, background: name, noise } }).toFile(path);
  }
  return paths.map(({ path }) => path);
}

/** A folder with backbones, a merged model and captions. */
async function prepared(backbones?: TinyBackboneOptions): Promise<string> {
  const folder = temporaryFolder();
  writeTinyBackbones(folder, backbones);
  await writeTinyCaptions(folder, ['red', 'blue']);
  return folder;
}

/** Cuts a file off in the middle. */
function cut(path: string): void {
  truncateSync(path, Math.floor(readFileSync(path).length / 2));
}

/** Makes a safetensors file claim a tensor that is larger than the file. */
function makeLie(checkpoint: string): void {
  const path = join(checkpoint, 'model.safetensors');
  const bytes = readFileSync(path);
  const text = bytes
    .toString('latin1')
    .replace(/"data_offsets":\[0,(\d+)\]/, (whole, end: string) => whole.replace(end, '9'.repeat(end.length)));
  writeFileSync(path, Buffer.from(text, 'latin1'));
}

describe('bad input is one clear line, and nothing is left behind:', () => {
  it('an unknown config key, with its line and the key that was meant', async () => {
    const folder = temporaryFolder();
    const path = writeExperiment(folder, { ...visionExperiment, training: { ...training, warmUpStep: 1 } });
    const refused = await refusal(['train', path], folder, 2);
    expect(refused).toMatch(/vision\.yaml:\d+: unknown key 'training\.warmUpStep' \(did you mean 'warmupSteps'\?\)/);
    expect(readdirSync(folder)).toEqual(['vision.yaml']);
  });

  it('a precision that the engine does not have', async () => {
    const folder = temporaryFolder();
    const path = writeExperiment(folder, { ...visionExperiment, training: { ...training, matmulPrecision: 'bf16' } });
    const refused = await refusal(['train', path, '--engine', 'wasm'], folder, 2);
    expect(refused).toMatch(
      /matmulPrecision 'bf16': expected engine cuda on a card of .* or engine native on a processor with .*, got: engine wasm; set/,
    );
    expect(readdirSync(folder)).toEqual(['vision.yaml']);
  });

  it('an experiment file that is not there', async () => {
    const folder = temporaryFolder();
    expect(await refusal(['train', 'nothing.yaml'], folder, 2)).toContain('nothing.yaml: no such file');
  });

  it('an experiment of another kind', async () => {
    const folder = temporaryFolder();
    const path = writeExperiment(folder, tinyRecipe());
    expect(await refusal(['train', path], folder, 2)).toContain(
      "expected an experiment of kind vision or language, got 'merge': run it with 'tokenfuse merge'",
    );
  });

  it('an engine of no known name', async () => {
    const folder = temporaryFolder();
    await writeClassFolders(folder);
    const path = writeExperiment(folder, visionExperiment);
    expect(await refusal(['train', path, '--engine', 'wsam'], folder, 2)).toContain("(did you mean 'wasm'?)");
    expect(existsSync(join(folder, 'vision-run'))).toBe(false);
  });

  it('text as PNG, and a truncated JPEG, to be captioned', async () => {
    const folder = await prepared();
    mergeTiny(folder);
    const [text, jpeg] = [join(folder, 'text.png'), join(folder, 'cut.jpg')];
    writeFileSync(text, 'this is no image');
    const noise = { type: 'gaussian', mean: 128, sigma: 50 } as const;
    await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red', noise } }).toFile(jpeg);
    cut(jpeg);
    for (const image of [text, jpeg]) {
      expect(await refusal(['caption', 'merged', image, '--out', 'predictions.json'], folder, 2)).toContain(image);
      expect(existsSync(join(folder, 'predictions.json'))).toBe(false);
    }
  });

  for (const [what, type] of [
    ['text as PNG', 'png'],
    ['a truncated JPEG', 'jpg'],
  ] as const) {
    it(`${what} among images to learn from`, async () => {
      const folder = temporaryFolder();
      const [first] = await writeClassFolders(folder, type);
      if (type === 'png') writeFileSync(first, 'this is no image');
      else cut(first);
      const path = writeExperiment(folder, visionExperiment);
      expect(await refusal(['train', path], folder, 2)).toContain(first.slice(folder.length + 1));
      expect(existsSync(join(folder, 'vision-run'))).toBe(false);
    });
  }

  it('a broken image among captioned ones, in alignment and in evaluation', async () => {
    const folder = await prepared();
    mergeTiny(folder);
    cut(join(folder, 'images', 'blue.png'));
    const path = writeExperiment(folder, tinyAlignment());
    expect(await refusal(['align', path, '--root', '.'], folder, 2)).toContain('blue.png');
    expect(existsSync(join(folder, 'align'))).toBe(false);
    const sets = [{ name: 'seen', captions: 'captions.json' }];
    const evaluation = writeExperiment(folder, {
      kind: 'evaluate',
      name: 'evaluation',
      model: 'merged',
      sets,
    });
    expect(await refusal(['evaluate', evaluation], folder, 2)).toContain('blue.png');
    expect(existsSync(join(folder, 'evaluation'))).toBe(false);
  });

  it('safetensors with a lying header', async () => {
    const folder = await prepared();
    mergeTiny(folder);
    for (const checkpoint of ['vision', 'merged']) makeLie(join(folder, checkpoint));
    const recipe = writeExperiment(folder, tinyRecipe());
    const merging = await refusal(['merge', recipe, '--out', 'joined'], folder, 2);
    expect(merging).toMatch(/vision: .*model\.safetensors: not a valid safetensors file/);
    expect(existsSync(join(folder, 'joined'))).toBe(false);
    const image = join('images', 'red.png');
    expect(await refusal(['caption', 'merged', image], folder, 2)).toContain('not a valid safetensors file');
  });

  it('union of backbones of different width', async () => {
    const folder = await prepared({ vision: { dModel: 16 } });
    const recipe = writeExperiment(folder, tinyRecipe({ method: 'union' }));
    for (const extra of [[], ['--dry-run']]) {
      const refused = await refusal(['merge', recipe, ...extra], folder, 2);
      expect(refused).toContain("method 'union': expected backbones of one width");
      expect(refused).toContain('dModel 16 (vision) and 8 (language)');
    }
    expect(existsSync(join(folder, 'merged'))).toBe(false);
  });

  it('an empty data set', async () => {
    const folder = await prepared();
    mergeTiny(folder);
    mkdirSync(join(folder, 'images-none', 'red'), { recursive: true });
    const vision = { ...visionExperiment, data: { train: { ...visionExperiment.data.train, path: 'images-none' } } };
    expect(await refusal(['train', writeExperiment(folder, vision)], folder, 2)).toContain('images-none');
    expect(existsSync(join(folder, 'vision-run'))).toBe(false);

    writeFileSync(join(folder, 'text.txt'), '\n\n');
    expect(await refusal(['train', writeExperiment(folder, languageExperiment)], folder, 2)).toContain('text.txt');
    expect(existsSync(join(folder, 'language-run'))).toBe(false);

    writeCaptionsJson(folder, [{ id: 1, file_name: 'red.png' }], []);
    const align = writeExperiment(folder, tinyAlignment());
    expect(await refusal(['align', align], folder, 2)).toContain('expected images with captions, got 1 without any');
    expect(existsSync(join(folder, 'align'))).toBe(false);

    mkdirSync(join(folder, 'empty'));
    expect(await refusal(['caption', 'merged', 'empty'], folder, 2)).toContain('expected at least one file');
  });

  it('data that are not there', async () => {
    const folder = await prepared();
    expect(await refusal(['train', writeExperiment(folder, visionExperiment), '--root', 'none'], folder, 2)).toContain(
      'none/images',
    );
    expect(existsSync(join(folder, 'none', 'vision-run'))).toBe(false);
    expect(await refusal(['train', writeExperiment(folder, languageExperiment)], folder, 2)).toContain('text.txt');
    expect(await refusal(['align', writeExperiment(folder, tinyAlignment())], folder, 2)).toContain(
      'cannot find a model at',
    );
    expect(readdirSync(folder).filter((name) => /run|align$/.test(name))).toEqual([]);
  });

  it('a run directory that is taken', async () => {
    const folder = await prepared();
    writeFileSync(join(folder, 'text.txt'), 'a red square\nthe square is blue\n'.repeat(20));
    const path = writeExperiment(folder, languageExperiment);
    expect(await tokenfuse(['train', path], folder)).toMatchObject({ code: 0, stderr: '' });
    const metrics = readFileSync(join(folder, 'language-run', 'metrics.jsonl'));
    expect(await refusal(['train', path], folder, 2)).toContain('holds a run already; give --resume to continue it');
    const changed = await refusal(['train', path, '--resume', '--set', 'seed=8'], folder, 2);
    expect(changed).toContain('cannot resume with another configuration (seed 0, now 8); repeat');
    expect(readFileSync(join(folder, 'language-run', 'metrics.jsonl'))).toEqual(metrics);
  });

  it('a folder that is taken, for a merge and for drawn scenes', async () => {
    const folder = await prepared();
    mkdirSync(join(folder, 'merged'));
    writeFileSync(join(folder, 'merged', 'mine.txt'), 'mine');
    expect(await refusal(['merge', writeExperiment(folder, tinyRecipe())], folder, 2)).toContain(
      'expected a new or empty place, got a folder with mine.txt',
    );
    const scenes = writeExperiment(folder, { kind: 'scenes', name: 'merged', scenes: { counts: {} } });
    expect(await refusal(['scenes', scenes], folder, 2)).toContain('expected');
    expect(readdirSync(join(folder, 'merged'))).toEqual(['mine.txt']);
  });

  it('a pipeline one of whose stages is not there, or wrong, before anything runs', async () => {
    const folder = temporaryFolder();
    const stages = ['scenes', 'tokenizer', 'vision', 'language', 'merge', 'align', 'evaluate'];
    const files = Object.fromEntries(stages.map((stage) => [stage, `${stage}.yaml`]));
    const path = writeExperiment(folder, { kind: 'pipeline', name: 'whole', ...files });
    expect(await refusal(['run', path, '--out', 'out'], folder, 2)).toContain('scenes.yaml');
    expect(existsSync(join(folder, 'out'))).toBe(false);
  });

  it('a stage that fails ends its pipeline, which passes the message on', async () => {
    const folder = temporaryFolder();
    const path = writeMiniPipeline(folder);
    writeExperiment(folder, { kind: 'tokenizer', name: 'tokenizer', files: ['data/none.txt'], vocabSize: 320 });
    const refused = await refusal(['run', path, '--out', 'out'], folder, 2);
    expect(refused).toMatch(/^tokenfuse: stage 'tokenizer': .*none\.txt/);
    expect(existsSync(join(folder, 'out', 'tokenizer'))).toBe(false);
  });
});
