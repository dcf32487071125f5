import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { loadCaptions } from '#captions/formats';
import { type StampsOptions, stamps, writePictureData } from '#pictures';
import { createRandom } from '#src/random';
import { debianPackage } from '../../pictures/debianPackage.js';
import { stampCaptions } from '../../pictures/stamps/stampCaptions.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const DRAWING = { seed: 1, size: 32, background: [255, 255, 255] } as const;
const shares = { validationShare: 0.2, testShare: 0.2, seed: 1 };
const NAMES = ['cat', 'dog', 'duck', 'fish', 'frog', 'goat', 'hen', 'horse', 'mouse', 'owl', 'pig', 'sheep'];

/** A package laid out as Debian's: twelve stamps, each in a second file that looks alike, one without a text, a mirrored one. */
async function writeStamps(): Promise<string> {
  const root = temporaryFolder();
  const write = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const folder = 'usr/share/tuxpaint/stamps';
  for (const name of [...NAMES, 'nameless']) {
    const random = createRandom(0, name);
    const blocks = Array.from(
      { length: 6 },
      () =>
        `<rect x="${random.integer(40)}" y="${random.integer(40)}" width="14" height="14" fill="hsl(${random.integer(360)},80%,50%)"/>`,
    );
    const gradients =
      '<linearGradient id="a"><stop stop-color="red"/><stop offset="1" stop-color="lime"/></linearGradient>' +
      '<linearGradient id="b" x2="0" y2="1"><stop stop-color="blue"/><stop offset="1" stop-opacity="0"/></linearGradient>';
    const ground = ['a', 'b'].map((id) => `<circle cx="30" cy="30" r="30" fill="url(#${id})"/>`).join('');
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="60">${gradients}${ground}${blocks.join('')}</svg>`;
    write(`${folder}/animals/farm/${name}.png`, await sharp(Buffer.from(svg)).png().toBuffer());
    if (name === 'nameless') continue;
    write(`${folder}/animals/cartoon/${name}2.svg`, svg);
    write(
      `${folder}/animals/farm/${name}.txt`,
      `A ${name}.\nde.utf8=${name}, deutsch.\nen_GB.utf8=A British ${name}.\n`,
    );
    write(`${folder}/animals/cartoon/${name}2.txt`, `Another ${name}.\n`);
  }
  write(`${folder}/animals/farm/cat_mirror.png`, Buffer.from('never read'));
  write('usr/share/doc/tuxpaint-stamps-default/copyright', 'As you like it.\n');
  write('usr/share/doc/tuxpaint-stamps-default/changelog.Debian.gz', gzipSync('tuxpaint-stamps (1.2-3) unstable\n'));
  return root;
}

describe('stamps', () => {
  it('are written with their descriptions; those that look alike are in one set', async () => {
    const root = await writeStamps();
    const data = await writePictureData(stamps({ root, language: 'en', ...shares }), join(root, 'data'), DRAWING);
    expect(data.origins[0]).toMatchObject({ package: 'tuxpaint-stamps-default (Debian)', version: '1.2-3' });
    expect(data.leftOut).toEqual({ 'no description in the language en': 1 });
    const setOf = new Map<string, string>();
    for (const { name, path } of data.sets) {
      for (const { fileName, captions } of loadCaptions(join(data.path, path), { requireImageFiles: true })) {
        setOf.set(fileName, name);
        const [, stamp] = /(\w+?)2?\.png$/.exec(fileName) as RegExpExecArray;
        const expected = fileName.includes('cartoon') ? [`Another ${stamp}`] : [`A ${stamp}`, `A British ${stamp}`];
        expect(captions).toEqual(expected);
      }
    }
    expect(setOf.size).toBe(2 * NAMES.length);
    for (const name of NAMES) {
      const [photograph, drawing] = [`animals/farm/${name}.png`, `animals/cartoon/${name}2.png`].map((file) =>
        setOf.get(file),
      );
      expect(drawing).toBe(photograph === 'test_photographs' ? 'test_others' : photograph);
    }
    expect(data.sets.map(({ name, pictures }) => [name, pictures])).toEqual([
      ['train', 16],
      ['val', 4],
      ['test_photographs', 2],
      ['test_others', 2],
    ]);
  }, 60_000);

  it('can be had in another language, and from the folder itself', async () => {
    const root = await writeStamps();
    const options: StampsOptions = { root: join(root, 'usr/share/tuxpaint/stamps'), language: 'de', ...shares };
    expect(stamps(options).pictures.map(({ captions }) => captions)).toEqual(NAMES.map((name) => [`${name}, deutsch`]));
    expect(userErrorLine(() => stamps({ ...options, language: 'du' }))).toContain(
      "expected descriptions in the language du, got de, en, en_GB (did you mean 'de'?)",
    );
  });

  it('are not looked for in the whole system', () => {
    expect(debianPackage('none', '/', 'none/such').folder).toBe('/usr/share/none/such');
  });

  it('say what to install where they are missing', () => {
    const root = temporaryFolder();
    expect(userErrorLine(() => stamps({ root, language: 'en', ...shares }))).toBe(
      `${root}: expected files with .png, .svg; apt-get install tuxpaint-stamps-default, or give --from the folder to which dpkg -x has extracted it`,
    );
    expect(userErrorLine(() => stamps({ root: join(root, 'none'), language: 'en', ...shares }))).toContain(
      'apt-get install tuxpaint-stamps-default',
    );
  });
});

describe('stampCaptions', () => {
  it('cuts a long description to its first sentence, and keeps a short one whole', () => {
    const long = `A menorah. ${'It has candles and '.repeat(6)}more.`;
    expect(stampCaptions(`${long}\n`, 'en').captions).toEqual(['A menorah']);
    expect(stampCaptions('A dumper. It tips.\n', 'en').captions).toEqual(['A dumper. It tips']);
  });

  it('has no captions of a language that is missing or empty', () => {
    expect(stampCaptions('A cat.\nfr.utf8=\n', 'fr').captions).toEqual([]);
    expect(stampCaptions('A cat.\n', 'de')).toEqual({ captions: [], known: ['en'] });
  });
});
