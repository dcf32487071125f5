import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '#src/errors';
import { hashTextSource, readTextDocuments, type TextSource, trainBpe } from '../../../language/tokenizer/index.js';
import { type TextFolder, textFolder } from '../data/textFixture.js';

let folder: TextFolder;
beforeAll(() => {
  folder = textFolder();
});
afterAll(() => folder.remove());

const coco = (...captions: string[]) =>
  JSON.stringify({
    images: [{ id: 1, file_name: 'a.jpg' }],
    annotations: captions.map((caption) => ({ image_id: 1, caption })),
  });
const karpathy = JSON.stringify({
  images: [
    { imgid: 1, filename: 'a.jpg', split: 'train', sentences: [{ raw: 'a red dog' }] },
    { imgid: 2, filename: 'b.jpg', split: 'val', sentences: [{ raw: 'kept apart' }] },
  ],
});
const documents = (source: TextSource) =>
  [...readTextDocuments(source, { documents: 'file', field: 'text' })].map((pieces) => [...pieces].join(''));

describe('captions by their format', () => {
  it.each<[string, string, Record<string, unknown>, string[]]>([
    ['coco', coco('a red dog', 'a blue cat'), {}, ['a red dog', 'a blue cat']],
    ['csv', 'image,caption\na.jpg,"a dog, red"\n', {}, ['a dog, red']],
    ['flickr8k', 'a.jpg#0\ta red dog\na.jpg#1\ta dog\n', {}, ['a red dog', 'a dog']],
    ['karpathy', karpathy, { split: 'train' }, ['a red dog']],
  ])('%s: each caption is a document, and nothing else is', (format, content, more, expected) => {
    const path = folder.write(`captions.${format}`, content);
    expect(documents({ format, path, ...more } as TextSource)).toEqual(expected);
  });

  it('are identified by what they say', () => {
    const source = (name: string, ...captions: string[]): TextSource => ({
      format: 'coco',
      path: folder.write(name, coco(...captions)),
    });
    const [one, same, other] = [source('1.json', 'a', 'b'), source('2.json', 'a', 'b'), source('3.json', 'a b')];
    expect(hashTextSource(same)).toBe(hashTextSource(one));
    expect(hashTextSource(other)).not.toBe(hashTextSource(one));
  });

  it('train a tokenizer as their text would', () => {
    const path = folder.write('train.json', coco('the red dog', 'the red cat'));
    const { tokens } = trainBpe({ files: [{ format: 'coco', path }], vocabSize: 264 });
    expect(tokens).toEqual(trainBpe({ texts: ['the red dog', 'the red cat'], vocabSize: 264 }).tokens);
  });
});

describe('what is no text', () => {
  const safetensors = Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')]);
  it.each<[string, string | Uint8Array, RegExp]>([
    ['COCO JSON', coco('a'), /got COCO JSON; name the format .*: \{ format: coco, path: .*\/x \}$/],
    ['a list of images', '{"images":[{"id":1,"file_name":"a.jpg"}]}', /got COCO JSON/],
    ['a Karpathy file', karpathy, /got a Karpathy split file; .* \{ format: karpathy, path: .*\/x, split: train \}$/],
    ['a table', 'image,caption\na.jpg,a dog\n', /got a table of captions; .* \{ format: csv, path: .*\/x \}$/],
    ['a token file', 'a.jpg#0\ta dog\n', /got a token file of captions; .* \{ format: flickr8k, path: .*\/x \}$/],
    ['predictions', '[{"image_id":1,"caption":"a"}]', /got predicted captions; write the text/],
    ['an image', Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10]), /expected text, got a PNG image$/],
    ['a gzip archive', gzipSync('text'), /expected text, got a gzip archive; unpack it first$/],
    ['a checkpoint', safetensors, /expected text, got a safetensors file$/],
  ])('%s is named, with the mend', (_, content, message) => {
    const path = folder.write('x', content);
    for (const learn of [
      () => trainBpe({ files: [path], vocabSize: 300 }),
      () => folder.open({ files: ['x'], seqLen: 2 }),
    ]) {
      expect(learn).toThrow(UserError);
      expect(learn).toThrow(message);
    }
  });

  it('a folder is named, and how its captions would be', () => {
    expect(() => trainBpe({ files: [folder.path], vocabSize: 300 })).toThrow(
      /is a folder; .* \{ format: sidecar, path:/,
    );
  });

  it('text with a null byte is refused wherever it lies', () => {
    const path = folder.write('x', `${'word '.repeat(100_000)}\0 word`);
    expect(() => documents(path)).toThrow(/line \d+: expected UTF-8, got a null byte/);
  });

  it.each([
    ['a null byte', Buffer.from('one\r\ntwo\r\0'), 3],
    ['another encoding', Buffer.from('one\rtwo\ncaf\xe9\n', 'latin1'), 3],
    ['a character cut at the end', Buffer.from('one\n\u00e4').subarray(0, 5), 2],
    // A megabyte is read at a time; \u00e4 lies across its end.
    [
      'a fault behind the first piece',
      Buffer.concat([Buffer.from(`${'ab\n'.repeat(349_525)}\u00e4\n`), Buffer.of(0xff)]),
      349_527,
    ],
  ])('%s is refused with the line', (_, content, line) => {
    const path = folder.write('x', content);
    expect(() => documents(path)).toThrow(`cannot read text ${path}: line ${line}: expected UTF-8, got`);
  });

  it('text that begins like JSON or names a caption is text', () => {
    for (const content of ['[1] a footnote', '{not json}', 'image of a caption', '{"a": [1, 2]}']) {
      expect(trainBpe({ files: [folder.write('x', content)], vocabSize: 300 }).tokens.length).toBeGreaterThan(255);
    }
  });
});

it('a language data set is learned from captions, validated on others', () => {
  folder.write('train.json', coco('a red dog', 'a blue cat'));
  folder.write('validation.csv', 'image,caption\nb.jpg,a green bird\n');
  const dataset = folder.open({
    files: [{ format: 'coco', path: 'train.json' }],
    validationFiles: [{ format: 'csv', path: 'validation.csv' }],
    layout: 'documents',
    seqLen: 16,
  });
  expect(dataset).toMatchObject({ numDocuments: 2, validation: { numDocuments: 1 } });
  const [batch] = dataset.validationBatches(1);
  expect(Buffer.from(batch.tokenIds.slice(1, batch.lengths[0])).toString()).toBe('a green bird');
  const same = { format: 'coco', path: 'train.json' };
  expect(() => folder.open({ files: [same], validationFiles: [same], seqLen: 4 })).toThrow(
    /got .*train\.json, the same as/,
  );
});
