import { describe, expect, it } from 'vitest';
import { withPageOf } from '../../pictures/svgPage.js';

const page = (attributes: string): string =>
  withPageOf(Buffer.from(`<?xml version="1.0"?>\n<svg id="a" ${attributes}><g width="3"/></svg>`), 100).toString();
const sized = (width: number, height: number, viewBox: string): string =>
  `<svg width="${width}" height="${height}" viewBox="${viewBox}" id="a"`;

describe('withPageOf', () => {
  it.each([
    ['width="400" height="200"', sized(100, 50, '0 0 400 200')],
    ["width='40px' height='80px'", sized(50, 100, '0 0 40 80')],
    ['width="400pt" height="200pt"', sized(100, 50, '0 0 500 250')],
    ['width="2in" height="1in"', sized(100, 50, '0 0 180 90')],
    ['width="20000mm" height="10000mm" viewBox="10, 20, 4 2"', sized(100, 50, '10 20 4 2')],
    ['width="100%" viewBox="0 0 8 8"', sized(100, 100, '0 0 8 8')],
  ])('%s', (attributes, root) => {
    expect(page(attributes)).toContain(root);
    expect(page(attributes)).toContain('<g width="3"/>');
  });

  it.each(['', 'width="100%" height="100%"', 'width="2em" height="2em"', 'viewBox="0 0 x 3"', 'viewBox="0 0 0 0"'])(
    'leaves a page of unknown size alone: %j',
    (attributes) => {
      expect(page(attributes)).toContain(`<svg id="a" ${attributes}>`);
    },
  );

  it('keeps every byte of other encodings, and what is no SVG', () => {
    const latin = Buffer.from('<svg width="1" height="1"><text>caf\xe9 $& $1</text></svg>', 'latin1');
    expect(withPageOf(latin, 1).subarray(-20)).toEqual(latin.subarray(-20));
    const other = Buffer.from('hello');
    expect(withPageOf(other, 1)).toBe(other);
  });
});
