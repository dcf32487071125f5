import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROGRAM } from '#experiments';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { TINY_STACK } from '../support/tinyBackbones.js';
import { refusal, tokenfuse, writeExperiment } from '../support/tokenfuse.js';

const { rotaryBase: _, ...stack } = TINY_STACK;
const training = { steps: 2, batchSize: 2, learningRate: 0.01 };

/** A folder with an experiment of each kind, whose data is not there. */
function prepared(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'empty.yaml'), '');
  writeFileSync(join(folder, 'list.yaml'), '- kind: vision\n');
  writeFileSync(join(folder, 'kind.yaml'), 'kind: visoin\n');
  writeFileSync(join(folder, 'broken.json'), '{');
  const model = { imageSize: 16, patchSize: 8, stack };
  const [merge, align] = [
    { kind: 'merge', name: 'm', vision: 'v', language: 'l' },
    {
      kind: 'align',
      name: 'a',
      model: 'm',
      data: { train: { captions: 'c' }, validation: { captions: 'c' }, seqLen: 8 },
    },
  ];
  for (const experiment of [
    {
      kind: 'vision',
      name: 'v',
      model,
      objectives: [{ kind: 'maskedPatches' }],
      data: { train: { kind: 'folder', path: 'gone' } },
      training,
    },
    {
      kind: 'language',
      name: 'l',
      model: { stack },
      tokenizer: { kind: 'bpe', path: 'gone.json' },
      data: { files: ['gone.txt'], seqLen: 8, validationShare: 0.3 },
      training,
    },
    { kind: 'tokenizer', name: 't', files: ['gone.txt'], vocabSize: 300 },
    merge,
    { ...align, training },
    { kind: 'evaluate', name: 'e', model: 'm', sets: [{ name: 's', captions: 'c.json' }] },
    {
      kind: 'pipeline',
      name: 'p',
      vision: 'gone.yaml',
      language: 'language.yaml',
      merge: 'merge.yaml',
      align: 'align.yaml',
      evaluate: 'evaluate.yaml',
    },
  ]) {
    writeExperiment(folder, experiment);
  }
  return folder;
}

describe('what was given wrong is one line and exit code 2:', () => {
  /** The line by which a command refuses; nothing is left behind. */
  const refusedLine = async (words: readonly string[], folder = prepared()): Promise<string> => {
    const before = readdirSync(folder);
    const line = await refusal(words, folder, 2);
    expect(readdirSync(folder)).toEqual(before);
    return line;
  };
  const files = ['gone.yaml', 'empty.yaml', 'list.yaml', 'kind.yaml', 'folder'];
  const takers = ['train', 'merge', 'align', 'evaluate', 'scenes', 'run', 'study', 'tokenizer train'];

  it.each(takers)('%s of a file that is missing, empty, a list, of no kind, a folder', async (command) => {
    const folder = prepared();
    for (const file of files) {
      if (command === 'tokenizer train' && file === 'folder') continue; // of text, which it takes too
      expect(await refusedLine([...command.split(' '), file], folder)).toContain(file);
    }
  });

  it.each<[string, RegExp]>([
    ['train vision.yaml --engine cpu', /gone: no such folder/],
    ['train language.yaml --engine cpu', /gone\.json: no such file/],
    [
      'train merge.yaml',
      /expected an experiment of kind vision or language, got 'merge': run it with 'tokenfuse merge'/,
    ],
    ['train language.yaml --engine wasn', /--engine: expected .* \(did you mean 'wasm'\?\)/],
    ['train language.yaml --threads 0', /--threads: expected a whole number from 1/],
    ['train language.yaml --set model.stack.dModel=wide', /--set model\.stack\.dModel=wide: .*: expected a number/],
    ['train language.yaml --set', /--set/],
    ['train language.yaml --resum', /unknown option '--resum' \(did you mean 'resume'\?\)/],
    ['train', /expected <experiment\.yaml>, got nothing/],
    ['train a.yaml b.yaml', /unexpected 'b\.yaml'/],
    ['align align.yaml --engine cpu', /cannot find a model/],
    ['evaluate evaluate.yaml --engine cpu', /cannot find a model/],
    ['tokenizer train tokenizer.yaml', /gone\.txt: no such file/],
    ['tokenizer train gone.txt --vocab-size 300 --out t.json', /gone\.txt: no such file/],
    ['tokenizer train gone.txt --vocab-size few --out t.json', /--vocab-size/],
    ['run pipeline.yaml', /gone\.yaml: no such file/],
    ['caption gone gone.png', /gone/],
    ['generate gone --engine cpu', /cannot find a model/],
    ['score gone.json --references gone.json', /gone\.json: no such file/],
    ['score broken.json --references broken.json', /broken\.json: not valid JSON/],
    ['parity gone', /gone: no such file/],
    ['convert gone out', /gone: no such file/],
    ['convert broken.json out', /broken\.json: not a valid safetensors file/],
    ['unmerge gone out', /gone/],
    ['export web gone', /gone/],
    ['export web gone --weights int4', /--weights: expected float32, float16, int8; got 'int4'/],
    ['config visoin', /did you mean 'vision'/],
    ['doctor now', /unexpected 'now'/],
    ['trian vision.yaml', /did you mean 'train'/],
    ['--set a=b', /expected a command first/],
  ])('%s', async (line, expected) => {
    expect(await refusedLine(line.split(' '))).toMatch(expected);
  });

  it('an engine that this machine does not have', async () => {
    const { code, stderr } = await tokenfuse(['train', 'language.yaml', '--engine', 'tensorflow'], prepared());
    // Where it is there, the missing tokenizer is what is wrong.
    expect(stderr).toMatch(/^tokenfuse: .*(does not work here|no such file).*\n$/);
    expect(code).toBe(2);
  });

  it.skipIf(process.platform !== 'linux')('results that can be written nowhere', async () => {
    const refused = await refusedLine(['train', 'vision.yaml', '--out', '/proc/a/b', '--engine', 'cpu']);
    expect(refused).toContain('the system allows no folder in /proc');
  });
});

describe('help', () => {
  it.each(PROGRAM.commands.map(({ name }) => name))('of %s, asked for in three ways, fits 80 columns', async (name) => {
    const folder = temporaryFolder();
    const words = name.split(' ');
    const [long, short, help] = [
      await tokenfuse([...words, '--help'], folder),
      await tokenfuse([...words, '-h'], folder),
      await tokenfuse(['help', ...words], folder),
    ];
    expect(long).toMatchObject({ code: 0, stderr: '' });
    expect(short).toEqual(long);
    expect(help).toEqual(long);
    expect(long.stdout).toMatch(new RegExp(`^usage: tokenfuse ${name}`));
    expect(Math.max(...long.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('of the program lists the commands, and a command that is none is refused', async () => {
    const folder = temporaryFolder();
    const [long, help] = [await tokenfuse(['--help'], folder), await tokenfuse(['help'], folder)];
    expect(help).toEqual(long);
    expect(Math.max(...long.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    for (const { name } of PROGRAM.commands) expect(long.stdout).toContain(`\n  ${name} `);
    expect(await refusal(['help', 'trian'], folder, 2)).toContain("did you mean 'train'");
  });
});
