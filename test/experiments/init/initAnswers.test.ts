import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import type { Arguments } from '#src/cli';
import { initAnswers } from '../../../experiments/init/initAnswers.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';

function args(options: Record<string, string>, ...flags: string[]): Arguments {
  return {
    positionals: [],
    text: (name) => options[name],
    texts: () => [],
    commandLine: 'tokenfuse',
    flag: (name) => flags.includes(name),
  };
}

/** A user who answers one question after the other, what was asked, and what was said. */
function user(...answers: string[]) {
  const asked: string[] = [];
  const told: string[] = [];
  return {
    asked,
    told,
    tell: (line: string) => told.push(line),
    ask: async (question: string) => {
      asked.push(question);
      return answers[asked.length - 1] ?? '';
    },
  };
}

/** A folder of images with captions beside it, and a text. */
let photographs: string;
let captions: string;
let book: string;
let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  photographs = join(folder, 'photographs');
  mkdirSync(photographs);
  for (const i of [1, 2, 3, 4, 5, 6]) {
    writeFileSync(join(photographs, `${i}.jpg`), '');
    writeFileSync(join(photographs, `${i}.txt`), 'a card');
  }
  captions = table('captions.csv', 1, 2, 3);
  book = join(folder, 'book.txt');
  writeFileSync(book, 'Once upon a time.');
});

function table(name: string, ...images: number[]): string {
  const path = join(folder, name);
  writeFileSync(path, ['image,caption', ...images.map((i) => `${i}.jpg,a card`)].join('\n'));
  return path;
}

it('asks in a terminal what no option says; an empty answer is the default', async () => {
  const { ask, asked, tell, told } = user(photographs, captions, '', '', '', 'medium', '');
  expect(await initAnswers(args({}), ask, tell)).toEqual({
    ...{ captions, images: photographs, validation: undefined, test: undefined },
    ...{ text: undefined, size: 'medium', imageSize: '128' },
  });
  expect([asked.length, told]).toEqual([7, []]);
});

it('does not ask what an option says', async () => {
  const { ask, asked, tell } = user(photographs, captions);
  const given = { text: book, size: 'small', 'image-size': '32' };
  expect(await initAnswers(args(given), ask, tell)).toMatchObject({ text: book, size: 'small', imageSize: '32' });
  expect(asked).toHaveLength(4);
});

it('takes a folder of images as that of the captions where none are named', async () => {
  const { ask, tell } = user();
  expect(await initAnswers(args({ images: photographs }), ask, tell)).toMatchObject({
    captions: photographs,
    images: undefined,
  });
});

it('asks again, with the reason, for what will not do', async () => {
  const { ask, asked, tell, told } = user(
    ...['nowhere', photographs],
    ...['none.csv', photographs.slice(0, -1), book, captions],
    ...['-', '-'],
    ...[photographs, book],
    ...['huge', 'small'],
    ...['50', '32'],
  );
  const answers = await initAnswers(args({}), ask, tell);
  expect(answers).toMatchObject({ images: photographs, captions, text: book, size: 'small', imageSize: '32' });
  expect(asked).toHaveLength(14);
  expect(told).toHaveLength(7);
  expect(told.join('\n')).toMatch(
    /folder of image files, got nowhere\n.*none\.csv: no such file.*\n.*\n.*book\.txt: unknown format.*\n.*expected a text or JSONL file.*\n.*small or medium, got 'huge'\n.*multiple of 8/,
  );
});

it('finds the files of the other splits by their names, and refuses images that are in two', async () => {
  const train = table('captions_train.csv', 1, 2);
  const val = table('captions_val.csv', 3, 4);
  const { ask, tell, told, asked } = user(photographs, train, '', train, '-');
  expect(await initAnswers(args({}), ask, tell)).toMatchObject({ captions: train, validation: val, test: undefined });
  expect(asked[2]).toContain(val);
  expect(told).toEqual([expect.stringContaining('expected images of their own for test, got 1.jpg')]);
});

it('refuses at once what an option says wrongly', async () => {
  const { ask, asked, tell } = user();
  await expect(initAnswers(args({ size: 'huge' }), ask, tell)).rejects.toThrow("got 'huge'");
  await expect(initAnswers(args({ text: photographs }), ask, tell)).rejects.toThrow('expected a text or JSONL file');
  expect(asked).toEqual([]);
});

it('asks nothing with --captions or --yes', async () => {
  const { ask, asked, tell } = user();
  expect(await initAnswers(args({ captions: 'a.json', test: 'b.json' }), ask, tell)).toEqual({
    ...{ captions: 'a.json', images: undefined, validation: undefined, test: 'b.json' },
    ...{ text: undefined, size: 'small', imageSize: undefined },
  });
  expect(await initAnswers(args({ images: 'b' }, 'yes'), ask, tell)).toMatchObject({
    captions: 'b',
    images: undefined,
  });
  await expect(initAnswers(args({}, 'yes'), ask, tell)).rejects.toThrow('expected --captions');
  expect(asked).toEqual([]);
});
