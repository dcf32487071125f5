import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { porterStem } from '#captions/tokenization';

describe('porterStem', () => {
  it.each([
    ['1a', 'caresses caress ponies poni ties ti caress caress cats cat'],
    [
      '1b',
      'feed feed agreed agre plastered plaster bled bled motoring motor sing sing conflated conflat troubled troubl',
    ],
    [
      '1b, then mended',
      'sized size hopping hop tanned tan falling fall hissing hiss fizzed fizz failing fail filing file',
    ],
    ['1c', 'happy happi sky sky'],
    ['2', 'relational relat conditional condit rational ration valenci valenc digitizer digit operator oper'],
    ['2, further', 'feudalism feudal decisiveness decis hopefulness hope callousness callous formaliti formal'],
    ['3', 'triplicate triplic formative form formalize formal electrical electr hopeful hope goodness good'],
    ['4', 'revival reviv allowance allow inference infer airliner airlin adjustable adjust irritant irrit'],
    [
      '4, further',
      'replacement replac adjustment adjust dependent depend adoption adopt communism commun effective effect',
    ],
    ['5', 'probate probat rate rate cease ceas controll control roll roll'],
    [
      'words of captions',
      'riding ride rides ride running run runs run dogs dog standing stand skateboarding skateboard',
    ],
  ])('step %s as in the paper', (_step, pairs) => {
    const words = pairs.split(' ');
    for (let i = 0; i < words.length; i += 2) expect(porterStem(words[i])).toBe(words[i + 1]);
  });

  it('leaves short words and what is not a word of a to z', () => {
    for (const word of ['is', 'as', '', "n't", '1980s', 't-shirts', 'cafés']) expect(porterStem(word)).toBe(word);
  });

  it('never makes a word longer by more than an e, nor empties one', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'abceilnosty'), minLength: 1, maxLength: 14 }), (word) => {
        const stem = porterStem(word);
        expect(stem.length).toBeGreaterThan(0);
        expect(stem.length).toBeLessThanOrEqual(word.length);
      }),
    );
  });
});
