import { describe, expect, it } from 'vitest';
import { createRandom } from '#src/random';
import { countLineEnds, textLines, textLinesOf } from '#src/storage';

describe('textLines', () => {
  it('ends a line at a line feed, a carriage return, or both', () => {
    expect(textLines('a\nb\r\nc\rd\r\re')).toEqual(['a', 'b', 'c', 'd', '', 'e']);
    expect(countLineEnds('a\nb\r\nc\rd\r\re')).toBe(5);
  });

  it('keeps form feeds, vertical tabs, next lines and separators inside a line', () => {
    const text = 'a\fb\vc\u0085d\u2028e\u2029f';
    expect(textLines(text)).toEqual([text]);
    expect(countLineEnds(text)).toBe(0);
  });

  it('gives the same lines however the text is cut', () => {
    const random = createRandom(0, 'lines');
    const alphabet = ['\r', '\n', '\r\n', 'a', 'bc', '\u2028'];
    for (let round = 0; round < 500; round++) {
      const text = Array.from({ length: random.integer(12) }, () => alphabet[random.integer(alphabet.length)]).join('');
      const chunks: string[] = [];
      for (let at = 0; at < text.length; ) {
        const size = random.integer(4);
        chunks.push(text.slice(at, at + size));
        at += size;
      }
      expect([...textLinesOf(chunks)], JSON.stringify(chunks)).toEqual(textLines(text));
    }
  });

  it('is not disturbed by another text read meanwhile', () => {
    const outer = textLinesOf(['a\nb', '\nc']);
    expect(outer.next().value).toBe('a');
    expect([...textLinesOf(['long line\n', 'x'])]).toEqual(['long line', 'x']);
    expect([...outer]).toEqual(['b', 'c']);
  });
});
