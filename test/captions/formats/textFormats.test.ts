import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCaptions } from '#captions/formats';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';

function write(content: string | Uint8Array, name = 'captions.txt', folder = temporaryFolder()): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

const records = (images: ReturnType<typeof loadCaptions>) =>
  images.map(({ id, fileName, captions }) => [id, fileName, captions]);

describe('Flickr8k token files', () => {
  const read = (content: string | Uint8Array, splitFile?: string) =>
    records(loadCaptions({ format: 'flickr8k', path: write(content), splitFile }));
  const text = 'b.jpg#0\tA dog , running .\nb.jpg#1\ttwo\ta dog\nodd#name.jpg#12\tA cat .\n\na.jpg#0\tA bird .';

  it('give the captions of each image, in order, whatever ends the lines', () => {
    const expected = [
      [1, 'b.jpg', ['A dog , running .', 'two\ta dog']],
      [2, 'odd#name.jpg', ['A cat .']],
      [3, 'a.jpg', ['A bird .']],
    ];
    expect(read(text)).toEqual(expected);
    expect(read(`\uFEFF${text.replaceAll('\n', '\r\n')}\r\n`)).toEqual(expected);
  });

  it('keep the images of a list, with the ids they have without it', () => {
    expect(read(text, write('a.jpg\r\nb.jpg\r\n\r\n', 'Flickr_8k.trainImages.txt'))).toEqual([
      [1, 'b.jpg', ['A dog , running .', 'two\ta dog']],
      [3, 'a.jpg', ['A bird .']],
    ]);
  });

  it.each([
    ['an unknown name', 'a.jpg\nc.jpg\n', /list.txt: line 2: expected the name of an image of \S+, got "c.jpg"/],
    ['a name twice', 'a.jpg\na.jpg', /list.txt: line 2: expected every image once, got "a.jpg"/],
    ['no name', ' \n\n', /list.txt: expected one image name per line, got none/],
  ])('refuse a list with %s', (_name, list, message) => {
    expect(userErrorLine(() => read(text, write(list, 'list.txt')))).toMatch(message);
  });

  it.each([
    ['no tab', 'a.jpg#0 A cat .', 'line 1: expected name#number, a tab and a caption, got "a.jpg#0 A cat ."'],
    ['no number', 'a.jpg#0\ta\nb.jpg\tA cat .', 'line 2: image: expected name#number, got "b.jpg"'],
    ['a word as number', 'a.jpg#one\ta', 'line 1: image: expected name#number, got "a.jpg#one"'],
    ['no name', '#0\tA cat .', 'line 1: image: expected a file name, got nothing'],
    ['no caption', 'a.jpg#0\t \n', 'line 1: caption: expected a caption with at least one word'],
    ['a number twice', 'a.jpg#0\ta\na.jpg#0\tb', 'line 2: image: expected every name#number once, got "a.jpg#0" again'],
    ['nothing', '\n\n', 'expected at least one caption, got none'],
  ])('are refused with %s', (_name, content, message) => {
    expect(userErrorLine(() => read(content))).toContain(message);
  });

  it('are refused with the line that is not UTF-8', () => {
    const latin1 = Buffer.from('a.jpg#0\tun chat\nb.jpg#0\tun caf\xe9\n', 'latin1');
    expect(userErrorLine(() => read(latin1))).toContain('line 2: expected UTF-8 text');
  });
});

describe('caption tables', () => {
  const read = (content: string, splitFile?: string) =>
    records(loadCaptions({ format: 'csv', path: write(content), splitFile }));

  it('hold commas, quotes and line ends in quotes', () => {
    const table = [
      'Image,Caption',
      'b.jpg,A dog .',
      '"a.jpg","A ""big"" cat, asleep"',
      'b.jpg, two dogs ',
      '',
      'c.jpg,"two',
      'lines"',
      'd.jpg,5" of snow',
    ];
    const expected = [
      [1, 'b.jpg', ['A dog .', 'two dogs']],
      [2, 'a.jpg', ['A "big" cat, asleep']],
      [3, 'c.jpg', ['two\nlines']],
      [4, 'd.jpg', ['5" of snow']],
    ];
    expect(read(table.join('\n'))).toEqual(expected);
    expect(read(`\uFEFF${table.join('\n')}\n`)).toEqual(expected);
    expect(read(table.join('\r\n'))).toEqual(
      expected.map((row, i) => (i === 2 ? [3, 'c.jpg', ['two\r\nlines']] : row)),
    );
    expect(read(`${table.join('\n')}\n`, write('d.jpg', 'list.txt'))).toEqual([expected[3]]);
  });

  it.each([
    ['no header', 'a.jpg,A cat', 'line 1: expected the header image,caption, got "a.jpg,A cat"'],
    [
      'a bare comma',
      'image,caption\na.jpg,A cat, asleep',
      'line 2: expected the 2 fields image and caption, got 3; put',
    ],
    ['one field', 'image,caption\na.jpg,a\nb.jpg', 'line 3: expected the 2 fields image and caption, got 1'],
    ['an open quote', 'image,caption\r\na.jpg,a\r\nb.jpg,"a cat', 'line 3: expected a closing quote'],
    [
      'words behind a quote',
      'image,caption\na.jpg,"A "big" cat"',
      'line 2: expected a comma or the end of the line after',
    ],
    ['no caption', 'image,caption\na.jpg,', 'line 2: caption: expected a caption'],
    ['no image', 'image,caption\n,a cat', 'line 2: image: expected a file name'],
    ['a fault behind a quoted line end', 'image,caption\na,"b\nc"\nd', 'line 4: expected the 2 fields'],
    ['the header alone', 'image,caption\n', 'expected at least one caption, got none'],
    ['nothing', '', 'expected at least one caption, got none'],
  ])('are refused with %s', (_name, content, message) => {
    expect(userErrorLine(() => read(content))).toContain(message);
  });
});

describe('sidecar folders', () => {
  it('give an image the lines of the text beside it, or none', () => {
    const folder = temporaryFolder();
    for (const name of ['b.png', 'a.JPG', 'c.webp']) write('', name, folder);
    write('\uFEFFa bird\r\n\r\n  another bird \r\n', 'b.txt', folder);
    write('a cat', 'a.txt', folder);
    write('not of an image', 'readme.txt', folder);
    expect(records(loadCaptions(folder))).toEqual([
      [1, 'a.JPG', ['a cat']],
      [2, 'b.png', ['a bird', 'another bird']],
      [3, 'c.webp', []],
    ]);
  });

  it('are refused with a text that has two images, an empty text, other bytes, or no image', () => {
    const folder = temporaryFolder();
    const line = (): string => userErrorLine(() => loadCaptions({ format: 'sidecar', path: folder }));
    write('a cat', 'a.txt', folder);
    expect(line()).toContain('expected at least one file with .jpg');
    write('', 'a.jpg', folder);
    write('\n \n', 'a.txt', folder);
    expect(line()).toContain(
      `${join(folder, 'a.txt')}: expected a caption with at least one word (remove it), got an empty file`,
    );
    write(Buffer.from([0x61, 0x0a, 0xff]), 'a.txt', folder);
    expect(line()).toContain(`${join(folder, 'a.txt')}: line 2: expected UTF-8 text`);
    write('a cat', 'a.txt', folder);
    write('', 'a.png', folder);
    expect(line()).toContain('expected one image for a.txt, got a.jpg and a.png');
  });
});
