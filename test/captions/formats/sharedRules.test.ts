/** @file What holds for every format of captions alike: decoding, line ends, empty captions, names of images. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CaptionSource, loadCaptions } from '#captions/formats';
import { tarBytes } from '../../support/tarBytes.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';

/** One image and its captions in a format: the text that holds them, where it goes, and the source to read it by. */
interface Format {
  readonly text: (name: string, captions: readonly string[]) => string;
  /** Writes the text into a folder. */
  readonly write: (folder: string, text: Buffer) => CaptionSource[];
}

function put(folder: string, name: string, content: Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

const json = (value: unknown): string => JSON.stringify(value, null, 1);

const LINES: Readonly<Record<string, Format>> = {
  flickr8k: {
    text: (name, captions) => captions.map((caption, i) => `${name}#${i}\t${caption}\n`).join(''),
    write: (folder, text) => {
      const path = put(folder, 'token.txt', text);
      return [path, { format: 'flickr8k', path }];
    },
  },
  csv: {
    text: (name, captions) => `image,caption\n${captions.map((caption) => `${name},${caption}\n`).join('')}`,
    write: (folder, text) => {
      const path = put(folder, 'captions.csv', text);
      return [path, { format: 'csv', path }];
    },
  },
  sidecar: {
    text: (_name, captions) => captions.map((caption) => `${caption}\n`).join(''),
    write: (folder, text) => {
      put(folder, 'pictures/cat.jpg', Buffer.of());
      return [dirname(put(folder, 'pictures/cat.txt', text))];
    },
  },
  'text in a shard': {
    text: (_name, captions) => captions.map((caption) => `${caption}\n`).join(''),
    write: (folder, text) => [
      put(folder, 'a.tar', tarBytes([{ name: 'cat.jpg' }, { name: 'cat.txt', content: text }])),
    ],
  },
};

const JSONS: Readonly<Record<string, Format>> = {
  coco: {
    text: (name, captions) =>
      json({
        images: [{ id: 1, file_name: name }],
        annotations: captions.map((caption) => ({ image_id: 1, caption })),
      }),
    write: (folder, text) => {
      const path = put(folder, 'captions.json', text);
      return [path, { format: 'coco', path }];
    },
  },
  nocaps: {
    text: (name, captions) =>
      json({
        images: [{ id: 1, file_name: name, domain: 'in-domain' }],
        annotations: captions.map((caption) => ({ image_id: 1, caption })),
      }),
    write: (folder, text) => [{ format: 'nocaps', path: put(folder, 'nocaps.json', text) }],
  },
  karpathy: {
    text: (name, captions) =>
      json({ images: [{ imgid: 1, filename: name, split: 'val', sentences: captions.map((raw) => ({ raw })) }] }),
    write: (folder, text) => [{ format: 'karpathy', split: 'val', path: put(folder, 'dataset.json', text) }],
  },
  'JSON in a shard': {
    text: (_name, captions) => json({ captions }),
    write: (folder, text) => [
      put(folder, 'a.tar', tarBytes([{ name: 'cat.jpg' }, { name: 'cat.json', content: text }])),
    ],
  },
};

const FORMATS = { ...LINES, ...JSONS };
const CAPTIONS = ['un café au lait', 'a  cat\fon a\u2028mat'];

describe.each(Object.entries(FORMATS))('%s', (_, { text, write }) => {
  const captionsOf = (bytes: Buffer): (readonly string[])[] =>
    write(temporaryFolder(), bytes).map((source) => loadCaptions(source)[0].captions);
  const refusals = (bytes: Buffer): string[] =>
    write(temporaryFolder(), bytes).map((source) => userErrorLine(() => loadCaptions(source)));

  it('is read with a byte order mark and without', () => {
    for (const mark of ['', '\uFEFF'])
      for (const captions of captionsOf(Buffer.from(mark + text('cat.jpg', CAPTIONS))))
        expect(captions).toEqual(CAPTIONS);
  });

  it('is refused in another encoding, naming it', () => {
    const valid = text('cat.jpg', CAPTIONS);
    for (const line of refusals(Buffer.from(`\uFEFF${valid}`, 'utf16le'))) expect(line).toContain('got UTF-16');
    for (const line of refusals(Buffer.from(valid, 'utf16le').swap16())) expect(line).toContain('got UTF-16');
    const latin1 = Buffer.from(text('cat.jpg', ['un café']), 'latin1');
    for (const line of refusals(latin1)) expect(line).toMatch(/: line \d+: expected UTF-8 text, got other bytes/);
    const cut = Buffer.from(text('cat.jpg', ['a cat']).replace('a cat', 'a\0cat'));
    for (const line of refusals(cut)) expect(line).toMatch(/: line \d+: expected UTF-8 text, got a null byte/);
  });

  it.each(['', '  ', '\t', '\u3000', '\u200B'])('refuses %j as a caption in the same words', (blank) => {
    for (const line of refusals(Buffer.from(text('cat.jpg', [blank])))) {
      expect(line).toContain('expected a caption with at least one word (remove it), got');
    }
  });
});

describe.each(Object.entries(LINES))('%s', (_, { text, write }) => {
  it.each(['\r', '\r\n', '\n'])('has lines that end in %j', (end) => {
    const bytes = Buffer.from(text('cat.jpg', CAPTIONS).replaceAll('\n', end));
    for (const source of write(temporaryFolder(), bytes)) expect(loadCaptions(source)[0].captions).toEqual(CAPTIONS);
  });
});

describe.each(['flickr8k', 'csv', 'coco', 'nocaps', 'karpathy'])('%s', (name) => {
  const { text, write } = FORMATS[name];
  it.each([
    ['../cat.jpg', /got the path "\.\.\/cat\.jpg"; set 'images' to a folder that contains it/],
    ['/etc/cat.jpg', /got the absolute path "\/etc\/cat\.jpg"; set 'images'/],
    ['https://example.org/cat.jpg', /got the URL "https:\/\/example\.org\/cat\.jpg"; download the images/],
  ])('refuses the image %s, naming the entry', (image, message) => {
    for (const source of write(temporaryFolder(), Buffer.from(text(image, ['a cat'])))) {
      const line = userErrorLine(() => loadCaptions(source));
      expect(line).toMatch(message);
      expect(line).toMatch(/: (?:line \d+: image|images\[0\]\.file_?name): expected an image inside/);
    }
  });

  it('takes a name with the separator of Windows', () => {
    for (const source of write(temporaryFolder(), Buffer.from(text('val\\cat.jpg', ['a cat'])))) {
      expect(loadCaptions(source)[0].path).toMatch(/\/val\/cat\.jpg$/);
    }
  });
});

describe('a list of a split', () => {
  it.each(['\r', '\r\n', '\n'])('has lines that end in %j', (end) => {
    const folder = temporaryFolder();
    const path = put(folder, 'token.txt', Buffer.from('a.jpg#0\ta\nb.jpg#0\tb\nc.jpg#0\tc\n'));
    const splitFile = put(folder, 'split.txt', Buffer.from(`\uFEFFc.jpg${end}a.jpg${end}`));
    const images = loadCaptions({ format: 'flickr8k', path, splitFile });
    expect(images.map(({ fileName }) => fileName)).toEqual(['a.jpg', 'c.jpg']);
  });
});
