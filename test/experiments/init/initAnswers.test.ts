import { expect, it } from 'vitest';
import type { Arguments } from '#src/cli';
import { initAnswers } from '../../../experiments/init/initAnswers.js';

function args(options: Record<string, string>, ...flags: string[]): Arguments {
  return {
    positionals: [],
    text: (name) => options[name],
    texts: () => [],
    commandLine: 'tokenfuse',
    flag: (name) => flags.includes(name),
  };
}

/** A user who answers one question after the other, and what was asked. */
function user(...answers: string[]) {
  const asked: string[] = [];
  return {
    asked,
    ask: async (question: string) => {
      asked.push(question);
      return answers[asked.length - 1] ?? '';
    },
  };
}

it('asks in a terminal what no option says; an empty answer is the default', async () => {
  const { ask, asked } = user('photographs', 'captions.csv', '', 'medium', '');
  expect(await initAnswers(args({}), ask)).toEqual({
    captions: 'captions.csv',
    images: 'photographs',
    text: undefined,
    size: 'medium',
    imageSize: '128',
  });
  expect(asked).toHaveLength(5);
});

it('does not ask what an option says', async () => {
  const { ask, asked } = user('photographs', 'captions.csv');
  const answers = await initAnswers(args({ text: 'book.txt', size: 'small', 'image-size': '32' }), ask);
  expect(answers).toMatchObject({ text: 'book.txt', size: 'small', imageSize: '32' });
  expect(asked).toHaveLength(2);
});

it('takes a folder of images as that of the captions where none are named', async () => {
  const { ask } = user('', '', '', '', '');
  expect(await initAnswers(args({ images: 'photographs' }), ask)).toMatchObject({
    captions: 'photographs',
    images: undefined,
  });
});

it('asks nothing with --captions or --yes', async () => {
  const { ask, asked } = user();
  expect(await initAnswers(args({ captions: 'a.json' }), ask)).toEqual({
    captions: 'a.json',
    images: undefined,
    text: undefined,
    size: 'small',
    imageSize: undefined,
  });
  expect(await initAnswers(args({ images: 'b' }, 'yes'), ask)).toMatchObject({ captions: 'b', images: undefined });
  await expect(initAnswers(args({}, 'yes'), ask)).rejects.toThrow('expected --captions');
  expect(asked).toEqual([]);
});
