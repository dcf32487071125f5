import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CaptionedImage, loadCaptions } from '#captions/formats';
import { type EmojiStylesOptions, emojiStyles, type PictureData, writePictureData } from '#pictures';
import { openImageDataset } from '#vision';
import { writeIconPackages } from '../support/iconPackages.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine, userErrorLine } from '../support/thrown.js';

const DRAWING = { seed: 1, size: 32, background: [255, 255, 255] } as const;
const optionsIn = (nodeModules: string): EmojiStylesOptions => ({
  nodeModules: [join(nodeModules, 'none'), nodeModules],
  heldOutStyles: ['openmoji', 'emojione'],
  mostPictures: 60,
  seed: 1,
});

const write = (options: EmojiStylesOptions, out: string, given: object = {}): Promise<PictureData> =>
  writePictureData(emojiStyles(options), out, { ...DRAWING, ...given });

describe('emoji in several styles', () => {
  let data: PictureData;
  let sets: Map<string, CaptionedImage[]>;
  const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-emoji-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeAll(async () => {
    data = await write(optionsIn(writeIconPackages(folder)), join(folder, 'data'));
    sets = new Map(
      data.sets.map(({ name, path }) => [name, loadCaptions(join(data.path, path), { requireImageFiles: true })]),
    );
  }, 120_000);

  const namesIn = (set: string): string[] => sets.get(set)!.map(({ captions }) => captions[0]);
  const stylesIn = (set: string): Set<string> => new Set(sets.get(set)!.map(({ fileName }) => fileName.split('/')[0]));

  it('are written in sets that share no picture', () => {
    expect([...sets.keys()]).toEqual([
      ...['train', 'val', 'test', 'test_style_openmoji', 'test_style_emojione', 'test_compositions', 'test_names'],
    ]);
    const all = [...sets.values()].flat();
    expect(new Set(all.map(({ fileName }) => fileName)).size).toBe(all.length);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(data.sets.map(({ pictures }) => pictures)).toEqual([...sets.values()].map(({ length }) => length));
  });

  it('hold two styles out, and show them with names that were trained on', () => {
    expect(stylesIn('train')).toEqual(new Set(['noto', 'twemoji', 'fluent-emoji-flat', 'fxemoji']));
    const trained = new Set(sets.get('train')!.flatMap(({ captions }) => captions));
    for (const set of ['test_style_openmoji', 'test_style_emojione', 'val', 'test']) {
      expect(namesIn(set).filter((name) => !trained.has(name))).toEqual([]);
    }
    expect(stylesIn('test_style_openmoji')).toEqual(new Set(['openmoji']));
  });

  it('test a name in one style of several, and train on none of its skin tones in that style', () => {
    const unit = ({ fileName, captions }: CaptionedImage): string =>
      `${fileName.split('/')[0]} ${captions[0].split(':')[0]}`;
    const trained = new Set(sets.get('train')!.map(unit));
    expect(sets.get('test')!.filter((image) => trained.has(unit(image)))).toEqual([]);
  });

  it('hold out compositions whose parts were trained on', () => {
    const trained = namesIn('train');
    for (const name of namesIn('test_compositions')) {
      expect(trained).not.toContain(name);
      const [, gender, role, tone] = /^(man|woman) (\w+)(?:: (.*))?$/.exec(name) as RegExpExecArray;
      expect(trained.some((other) => new RegExp(`^(man|woman) ${role}\\b`).test(other))).toBe(true);
      expect(trained.some((other) => other.startsWith(`${gender} `))).toBe(true);
      if (tone !== undefined) expect(trained.some((other) => other.endsWith(`: ${tone}`))).toBe(true);
    }
    const captions = new Set(sets.get('train')!.flatMap((image) => image.captions));
    for (const set of ['test_compositions', 'test_names']) {
      expect(sets.get(set)!.filter((image) => image.captions.some((caption) => captions.has(caption)))).toEqual([]);
    }
    const whole = namesIn('test_names');
    expect(whole.filter((name) => trained.includes(name) || /^(man|woman|flag)\b/.test(name))).toEqual([]);
  });

  it('give a picture all the names that the styles have for it, its own first', () => {
    const all = [...sets.values()].flat();
    const captionsOf = (name: string) => all.find(({ fileName }) => fileName === `${name}.png`)?.captions;
    expect(captionsOf('twemoji/lamp') ?? captionsOf('fluent-emoji-flat/lamp')).toEqual(['lamp', 'lantern of oil']);
    expect(captionsOf('noto/pear-left')).toEqual(['pear left']);
    expect(all.filter(({ fileName }) => fileName.includes('retired'))).toEqual([]);
    expect(captionsOf('fxemoji/dogface') ?? captionsOf('fxemoji/redapple')).toEqual([
      expect.stringMatching(/^(dog face|red apple)$/),
    ]);
  });

  it('list what cannot be drawn, and name licences and look-up', () => {
    expect(data.broken).toEqual([{ name: 'noto/broken', reason: expect.stringMatching(/\S/) }]);
    const page = readFileSync(join(data.path, 'SOURCES.md'), 'utf8');
    expect(page).toContain('| Set noto | Ann | MIT | @iconify-json/noto 1.2.3 | https://ann.example |');
    expect(page).toContain('  - noto/broken: ');
    for (const { name, path, pictures, captions, lookUp } of data.sets) {
      const percent = lookUp === undefined ? '' : `${(100 * lookUp).toFixed(1)} %`;
      expect(page).toContain(`| ${path} | ${pictures} | ${captions} | ${percent} |`);
      if (name === 'test_names' || name === 'test_compositions') expect(lookUp).toBe(0);
    }
    expect(data.sets[0].lookUp).toBeUndefined();
  });

  it('have labels that vision learns from', async () => {
    const annotations = join(data.path, 'labels_train.json');
    const options = {
      baseDir: '.',
      cacheDir: join(data.path, 'cache'),
      imageSize: 32,
      requirement: 'attributes',
    } as const;
    const shared = { resize: 'stretch', background: [255, 255, 255], maxBrokenShare: 0, validationShare: 0 } as const;
    const dataset = await openImageDataset(
      { ...shared, kind: 'coco', annotations, background: [...shared.background], validationSeed: 0 },
      options,
    );
    // Skin tones are labels of fewer than twenty pictures each here.
    expect(dataset.attributeNames).toEqual([
      ...['category: People', 'style: fluent-emoji-flat', 'style: fxemoji', 'style: noto', 'style: twemoji'],
    ]);
    expect(dataset.size).toBe(sets.get('train')!.length);
    dataset.close();
  });

  it('keep no picture that is in no set', () => {
    const files = readdirSync(join(data.path, 'images'), { recursive: true }).filter((name) =>
      String(name).endsWith('.png'),
    );
    expect(files).toHaveLength([...sets.values()].flat().length);
  });
});

describe('writePictureData', () => {
  it('gives the same bytes again and keeps them, other sets for another seed, and overwrites nothing', async () => {
    const folder = temporaryFolder();
    const options = { ...optionsIn(writeIconPackages(folder)), mostPictures: 10 };
    const bytesIn = (out: string): Map<string, string> =>
      new Map(
        readdirSync(out, { recursive: true })
          .map(String)
          .filter((name) => /\.\w+$/.test(name))
          .sort()
          .map((name) => [name, readFileSync(join(out, name), 'base64')]),
      );
    const out = join(folder, 'one');
    expect((await write(options, out)).written).toBe(true);
    await write(options, join(folder, 'two'));
    expect(bytesIn(join(folder, 'two'))).toEqual(bytesIn(out));
    expect((await write(options, out)).written).toBe(false);
    expect(await rejectedLine(write(options, out, { size: 16 }))).toContain('expected a new or empty place');
    expect(await rejectedLine(write({ ...options, seed: 2 }, out))).toContain('expected a new or empty place');
    rmSync(join(out, 'images', JSON.parse(readFileSync(join(out, 'captions_test.json'), 'utf8')).images[0].file_name));
    expect(await rejectedLine(write(options, out))).toContain('expected a new or empty place');
    expect((await write({ ...options, seed: 2 }, out, { overwrite: true })).written).toBe(true);
    expect(existsSync(`${out}.old-1/SOURCES.md`)).toBe(true);
    expect(readFileSync(join(out, 'captions_test.json'), 'utf8')).not.toBe(
      readFileSync(join(`${out}.old-1`, 'captions_test.json'), 'utf8'),
    );
  }, 240_000);

  it('names the packages that are missing and the command that installs them', () => {
    const folder = temporaryFolder();
    const nodeModules = writeIconPackages(folder);
    rmSync(join(nodeModules, '@iconify-json/noto'), { recursive: true });
    expect(userErrorLine(() => emojiStyles({ ...optionsIn(nodeModules), nodeModules: [nodeModules] }))).toBe(
      `expected the packages of the emoji in ${nodeModules}, 1 of 6 missing: npm install --no-save @iconify-json/noto`,
    );
  });

  it('says which file of a package is not what it should be', () => {
    const nodeModules = writeIconPackages(temporaryFolder());
    const path = join(nodeModules, '@iconify-json/noto/icons.json');
    writeFileSync(path, '{"icons": {"a": {}}}');
    expect(userErrorLine(() => emojiStyles(optionsIn(nodeModules)))).toContain(`${path}: icons.a.body: expected`);
    writeFileSync(path, '{"icons": {"../../x": {"body": ""}}}');
    expect(userErrorLine(() => emojiStyles(optionsIn(nodeModules)))).toContain('icons.../../x: expected another key');
  });
});
