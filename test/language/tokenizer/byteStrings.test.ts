import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as browser from '../../../language/tokenizer/byteStrings.browser.js';
import * as node from '../../../language/tokenizer/byteStrings.js';

const texts = fc.string({ unit: 'binary' });
const byteStrings = fc.uint8Array().map((bytes) => String.fromCharCode(...bytes));

it('is in browsers what it is in Node', () => {
  fc.assert(
    fc.property(texts, byteStrings, (text, byteString) => {
      expect([...browser.utf8Bytes(text)]).toEqual([...node.utf8Bytes(text)]);
      expect(browser.byteStringOf(text)).toBe(node.byteStringOf(text));
      expect(browser.textOf(byteString)).toBe(node.textOf(byteString));
    }),
    { examples: [['\ud800a\udc00', '\u00ef\u00bb\u00bfa\u00e2\u0082']] },
  );
});

it('gives texts back, lone surrogates as U+FFFD', () => {
  expect(node.textOf(node.byteStringOf('ä\ud800🙂'))).toBe('ä\ufffd🙂');
});
