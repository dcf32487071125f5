import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCaptions } from '#captions/formats';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';

function write(content: string): string {
  const path = join(temporaryFolder(), 'captions.txt');
  writeFileSync(path, content);
  return path;
}

/** Read by its path, so that the recogniser has taken the header too. */
const read = (content: string) => loadCaptions(write(content)).map(({ fileName, captions }) => [fileName, captions]);

describe('the header of a caption table', () => {
  it.each([
    'image,caption',
    '"image","caption"',
    '\uFEFFimage,caption',
    '\uFEFF"image","caption"',
    ' Image , CAPTION ',
    '"image", "caption"',
    '\n\n\timage,caption',
  ])('is recognized as %j', (header) => {
    expect(read(`${header}\na.jpg,"a cat, grey"\n`)).toEqual([['a.jpg', ['a cat, grey']]]);
  });

  it('has its two columns wherever they stand', () => {
    expect(read('caption,image\n"a cat, grey",a.jpg\n')).toEqual([['a.jpg', ['a cat, grey']]]);
    expect(read('id,image,caption,split\r1,a.jpg,a cat,train\r2,b.jpg,a dog,test\r')).toEqual([
      ['a.jpg', ['a cat']],
      ['b.jpg', ['a dog']],
    ]);
    expect(read(',image,caption\n0,a.jpg,a cat\n')).toEqual([['a.jpg', ['a cat']]]);
  });

  it.each([
    ['image;caption\na.jpg;a cat\n', 'semicolons'],
    ['"image";"caption"\n"a.jpg";"a cat"\n', 'semicolons'],
    ['image\tcaption\na.jpg\ta cat\n', 'tabs'],
    ['image| comment_number| caption\n', 'bars'],
  ])('of %j is refused with what separates it', (content, separator) => {
    const line = userErrorLine(() => read(content));
    expect(line).toContain(`expected a table separated by commas, got one separated by ${separator}`);
  });

  it('is refused with a column twice', () => {
    expect(userErrorLine(() => read('image,caption,caption\na.jpg,a,b\n'))).toContain(
      'line 1: expected one column caption, got several',
    );
  });

  it('says how many fields a record needs', () => {
    expect(userErrorLine(() => read('image,caption,split\na.jpg,a cat\n'))).toContain(
      'line 2: expected the 3 fields of the header, got 2',
    );
    expect(userErrorLine(() => read('image,caption\na.jpg;a cat\n'))).toContain(
      'separated by semicolons? expected commas',
    );
  });
});

describe('a quoted field of a caption table', () => {
  it('may have blanks around it', () => {
    expect(read('image,caption\n"a.jpg" , "a ""big"" cat, grey" \n')).toEqual([['a.jpg', ['a "big" cat, grey']]]);
  });

  it('is none where text follows a quote behind a blank', () => {
    expect(read('image,caption\na.jpg, "stop" says a sign\n')).toEqual([['a.jpg', ['"stop" says a sign']]]);
    expect(read('image,caption\na.jpg, 5" of snow\nb.jpg, "open\n')).toEqual([
      ['a.jpg', ['5" of snow']],
      ['b.jpg', ['"open']],
    ]);
  });
});
