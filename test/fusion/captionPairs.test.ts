import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CaptionSource } from '#captions/formats';
import { type CaptionPairs, createTokenWeights, openCaptionPairs, type TokenWeightRule } from '#fusion';
import { loadTokenizer, type Tokenizer } from '#language';
import { IGNORE_INDEX } from '#src/kernels';
import type { Preprocessing } from '#vision';
import { writeEveryFormat } from '../support/captionFormats.js';
import { tarBytes } from '../support/tarBytes.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';
import { TINY_STACK, writeTinyBackbones } from '../support/tinyBackbones.js';
import { COLOUR_NAMES, writeCaptionsJson, writeTinyCaptions } from '../support/tinyCaptions.js';
import { packFolders } from '../vision/data/sampleImages.js';

const VISION = { imageSize: 16, patchSize: 8, pooling: 'mean', stack: TINY_STACK } as const;

function tinyTokenizer(folder: string): Tokenizer {
  writeTinyBackbones(folder);
  const tokenizer = loadTokenizer({ kind: 'bpe', path: 'tokenizer.json' }, { baseDir: folder });
  onTestFinished(() => tokenizer.dispose());
  return tokenizer;
}

const PREPROCESSING: Preprocessing = { resize: 'stretch', background: [255, 255, 255] };

interface TinyOptions {
  readonly seqLen?: number;
  readonly rules?: TokenWeightRule[];
  readonly maxPairs?: number;
  readonly maxBrokenShare?: number;
  readonly maxImagePixels?: number;
  readonly note?: (line: string) => void;
}

async function openTiny(
  folder: string,
  captions: CaptionSource,
  { seqLen = 32, rules = [], maxPairs, note, ...limits }: TinyOptions = {},
): Promise<CaptionPairs & { tokenizer: Tokenizer }> {
  const tokenizer = tinyTokenizer(folder);
  const places = {
    seqLen,
    cacheDir: join(folder, 'cache'),
    ...(maxPairs ? { maxPairs } : {}),
    ...(note ? { note } : {}),
  };
  const pairs = await openCaptionPairs(
    { captions, ...limits },
    { backbone: VISION, preprocessing: PREPROCESSING },
    tokenizer,
    createTokenWeights(rules),
    places,
  );
  onTestFinished(() => pairs.close());
  return { ...pairs, tokenizer };
}

/** `image: caption` of every row of a batch. */
function rowsOf(
  { imageIds, tokenizer }: CaptionPairs & { tokenizer: Tokenizer },
  { images, text }: ReturnType<CaptionPairs['batchAt']>,
): string[] {
  return Array.from(images, (image, b) => {
    const ids = text.tokenIds.slice(b * text.seqLen, (b + 1) * text.seqLen);
    return `${imageIds[image]}: ${tokenizer.decode(ids.filter((id) => id !== tokenizer.endOfTextId))}`;
  });
}

describe('openCaptionPairs', () => {
  it('gives every pair exactly once an epoch, in another order each epoch', async () => {
    const folder = temporaryFolder();
    const pairs = await openTiny(folder, await writeTinyCaptions(folder));
    const all = COLOUR_NAMES.flatMap((name, i) => [`${10 + i}: a ${name} square`, `${10 + i}: the square is ${name}`]);
    expect(pairs.numPairs).toBe(all.length);
    // Batches of 6 divide neither one epoch of 16 pairs nor two; three epochs end with a batch.
    const seen = Array.from({ length: 8 }, (_, index) => rowsOf(pairs, pairs.batchAt(index, 6, 1))).flat();
    const epochs = [seen.slice(0, 16), seen.slice(16, 32), seen.slice(32)];
    for (const epoch of epochs) expect([...epoch].sort()).toEqual([...all].sort());
    expect(epochs[1]).not.toEqual(epochs[0]);
    expect(epochs[2]).not.toEqual(epochs[1]);
  });

  it('gives a batch by its number alone, whatever was asked before', async () => {
    const folder = temporaryFolder();
    const captions = await writeTinyCaptions(folder);
    const pairs = await openTiny(folder, captions);
    const inOrder = [0, 1, 2, 3, 4].map((index) => rowsOf(pairs, pairs.batchAt(index, 5, 7)));
    expect([4, 1, 3].map((index) => rowsOf(pairs, pairs.batchAt(index, 5, 7)))).toEqual(
      [4, 1, 3].map((i) => inOrder[i]),
    );
    expect(rowsOf(pairs, pairs.batchAt(0, 5, 8))).not.toEqual(inOrder[0]);
  });

  it('goes through every pair once, in order, for evaluation', async () => {
    const folder = temporaryFolder();
    const pairs = await openTiny(folder, await writeTinyCaptions(folder, ['red', 'blue']));
    expect([...pairs.batches(3)].map((batch) => rowsOf(pairs, batch))).toEqual([
      ['10: a red square', '10: the square is red', '11: a blue square'],
      ['11: the square is blue'],
    ]);
  });

  it('starts every caption with the end of text and asks for it at the end', async () => {
    const folder = temporaryFolder();
    const { tokenizer, ...pairs } = await openTiny(folder, await writeTinyCaptions(folder, ['red']));
    const [{ text }] = pairs.batches(1);
    const ids = [...tokenizer.encode('a red square')];
    const end = tokenizer.endOfTextId;
    expect([...text.tokenIds].slice(0, ids.length + 1)).toEqual([end, ...ids]);
    expect([...text.labels].slice(0, ids.length + 2)).toEqual([...ids, end, IGNORE_INDEX]);
    expect(text.numTokens).toBe(ids.length + 1);
  });

  it('puts the weight of a word on the labels that spell it', async () => {
    const folder = temporaryFolder();
    const rules = [
      {
        words: ['red'],
        schedule: [
          { fromStep: 0, weight: 20 },
          { fromStep: 5, weight: 3 },
        ],
      },
    ];
    const { tokenizer, ...pairs } = await openTiny(folder, await writeTinyCaptions(folder, ['red', 'blue']), { rules });
    const [batch] = pairs.batches(4);
    for (const [step, weight] of [
      [0, 20],
      [5, 3],
    ]) {
      const weights = batch.weights(step);
      const heavy = [...batch.text.labels].filter((_, i) => weights[i] === weight);
      expect(tokenizer.decode(heavy)).toBe(' red red');
      const light = [...batch.text.labels].filter((label, i) => label !== IGNORE_INDEX && weights[i] === 1);
      expect(heavy.length + light.length).toBe(batch.text.numTokens);
    }
  });

  it('gives each position the pixels of its own image', async () => {
    const folder = temporaryFolder();
    const pairs = await openTiny(folder, await writeTinyCaptions(folder, ['black', 'orange', 'grey']));
    const pixels = pairs.pixelValues([2, 0, 1]);
    const image = 16 * 16 * 3;
    expect([...pixels.subarray(0, 3)].map((x) => Math.round((x + 1) * 127.5))).toEqual([127, 127, 127]);
    expect([...pixels.subarray(image, image + 3)]).toEqual([-1, -1, -1]);
    expect([...pixels.subarray(2 * image, 2 * image + 3)].map((x) => Math.round((x + 1) * 127.5))).toEqual([
      255, 127, 14,
    ]);
  });

  it('gives the same pairs and pixels of every format, decoded once', async () => {
    const folder = temporaryFolder();
    const sources = Object.values(await writeEveryFormat(folder));
    const first = await openTiny(folder, sources[0], { seqLen: 64 });
    const rows = [...first.batches(2)].map((batch) => rowsOf(first, batch));
    for (const source of sources) {
      const pairs = await openTiny(folder, source, { seqLen: 64 });
      expect([...pairs.batches(2)].map((batch) => rowsOf(pairs, batch))).toEqual(rows);
      expect(pairs.pixelValues([2, 0, 1])).toEqual(first.pixelValues([2, 0, 1]));
    }
    expect(packFolders(join(folder, 'cache'))).toHaveLength(1);
  });

  it('carries the domain of each image', async () => {
    const folder = temporaryFolder();
    const { nocaps } = await writeEveryFormat(folder);
    const pairs = await openTiny(folder, nocaps, { seqLen: 64 });
    expect(pairs.images.map(({ domain }) => domain)).toEqual(['in-domain', 'out-domain', 'near-domain']);
  });

  it('names the archive and the image that cannot be decoded', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.tar');
    writeFileSync(
      path,
      tarBytes([
        { name: '0.png', content: 'no image' },
        { name: '0.txt', content: 'a' },
      ]),
    );
    expect(await rejectedLine(openTiny(folder, path))).toContain(join(path, '0.png'));
  });

  it('leaves images without captions out', async () => {
    const folder = temporaryFolder();
    await writeTinyCaptions(folder, ['red', 'blue', 'pink']);
    const captions = writeCaptionsJson(
      folder,
      ['red', 'blue', 'pink'].map((name, i) => ({ id: i + 1, file_name: `${name}.png` })),
      [
        { image_id: 3, caption: 'a pink square' },
        { image_id: 1, caption: 'a red square' },
      ],
    );
    const pairs = await openTiny(folder, captions);
    expect(pairs.imageIds).toEqual([1, 3]);
    expect(pairs.images.map(({ path }) => path.slice(-7))).toEqual(['red.png', 'ink.png']);
    expect([...pairs.batches(2)].map((batch) => rowsOf(pairs, batch))).toEqual([
      ['1: a red square', '3: a pink square'],
    ]);
    const pink = pairs.pixelValues([1]);
    expect(Math.round((pink[0] + 1) * 127.5)).toBe(247);
  });

  it('keeps the first so many pairs, and no image without one', async () => {
    const folder = temporaryFolder();
    const captions = await writeTinyCaptions(folder, ['red', 'blue', 'pink']);
    const pairs = await openTiny(folder, captions, { maxPairs: 3 });
    expect(pairs.numPairs).toBe(3);
    expect(pairs.imageIds).toEqual([10, 11]);
    expect([...pairs.batches(4)].map((batch) => rowsOf(pairs, batch))).toEqual([
      ['10: a red square', '10: the square is red', '11: a blue square'],
    ]);
  });

  it('refuses a caption that is too long, naming its image', async () => {
    const folder = temporaryFolder();
    const captions = await writeTinyCaptions(folder, ['red', 'brown']);
    const longest = tinyTokenizer(folder).encode('the square is brown').length;
    await expect(openTiny(folder, captions, { seqLen: longest + 1 })).resolves.toBeDefined();
    const refused = await rejectedLine(openTiny(folder, captions, { seqLen: longest }));
    expect(refused).toMatch(/image 1[01] has \d+ tokens; expected at most \d+: shorten it, or raise seqLen/);
  });

  it('refuses a file whose images have no captions', async () => {
    const folder = temporaryFolder();
    await writeTinyCaptions(folder, ['red']);
    const captions = writeCaptionsJson(folder, [{ id: 1, file_name: 'red.png' }], []);
    expect(await rejectedLine(openTiny(folder, captions))).toContain(
      'expected images with captions, got 1 without any',
    );
  });

  it('names the image that cannot be read', async () => {
    const folder = temporaryFolder();
    const captions = await writeTinyCaptions(folder, ['red', 'blue']);
    const image = join(folder, 'images', 'blue.png');
    truncateSync(image, 60);
    expect(await rejectedLine(openTiny(folder, captions))).toContain('blue.png');
    writeFileSync(image, 'this is no image');
    expect(await rejectedLine(openTiny(folder, captions))).toContain('blue.png');
  });

  it('leaves out as many missing and unreadable images as maxBrokenShare allows, and says which', async () => {
    const folder = temporaryFolder();
    const captions = await writeTinyCaptions(folder, ['red', 'blue', 'green', 'black']);
    writeFileSync(join(folder, 'images', 'blue.png'), 'this is no image');
    rmSync(join(folder, 'images', 'red.png'));
    const missing = await rejectedLine(openTiny(folder, captions));
    expect(missing).toContain('or maxBrokenShare to the share that may be left out');
    expect(await rejectedLine(openTiny(folder, captions, { maxBrokenShare: 0.25 }))).toContain(
      '2 of 4 images broken, more than maxBrokenShare 0.25 allows (repair or remove them, or raise maxBrokenShare beside captions',
    );
    const lines: string[] = [];
    const note = (line: string) => lines.push(line);
    const pairs = await openTiny(folder, captions, { maxBrokenShare: 0.5, note });
    expect(pairs.imageIds).toEqual([12, 13]);
    expect(pairs.captions.map(([first]) => first)).toEqual(['a green square', 'a black square']);
    expect([pairs.numPairs, pairs.numLeftOut]).toEqual([4, 2]);
    expect([...pairs.pixelValues([1])].every((value) => value === -1)).toBe(true);
    expect(rowsOf(pairs, [...pairs.batches(9)][0])).toContain('13: a black square');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /captions\.json: 2 of 4 images left out: .*red\.png \(no such file\), .*blue\.png \(unsupported/,
    );
  });

  it('refuses an image above maxImagePixels', async () => {
    const folder = temporaryFolder();
    const captions = await writeTinyCaptions(folder, ['red', 'blue']);
    expect(await rejectedLine(openTiny(folder, captions, { maxImagePixels: 200 }))).toContain(
      '16 × 16 pixels; expected at most 200 (maxImagePixels)',
    );
  });
});
