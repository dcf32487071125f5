import { describe, expect, it } from 'vitest';
import { captionDiagnostics, distinctN } from '#captions/metrics';

const references = new Map([
  [1, ['a red ball on a table', 'a ball']],
  [2, ['two dogs run in the grass']],
  [3, ['an old clock on a wall']],
]);

describe('captionDiagnostics', () => {
  it('has nothing to warn of in varied captions of full length', () => {
    const predictions = new Map([
      [1, 'A red ball on a table.'],
      [2, 'two dogs are in the grass'],
      [3, 'an old clock on the wall'],
    ]);
    const diagnostics = captionDiagnostics(predictions, references, ['a red ball on a table!', 'a cat']);
    expect(diagnostics).toMatchObject({ numImages: 3, numEmpty: 0, numDuplicates: 0, meanLength: 6, lengthRatio: 1 });
    expect(diagnostics.novelShare).toBeCloseTo(2 / 3);
    expect(diagnostics.warnings).toEqual([]);
  });

  it('knows no novelty without training captions', () => {
    expect(captionDiagnostics(new Map([[1, 'a']]), new Map([[1, ['a']]]))).not.toHaveProperty('novelShare');
  });

  it('takes the length ratio to the nearest references', () => {
    const predictions = new Map([
      [1, 'a ball'],
      [2, 'two dogs run'],
      [3, 'an old clock on a'],
    ]);
    expect(captionDiagnostics(predictions, references).lengthRatio).toBeCloseTo(10 / 14);
  });

  it('warns that one image gets CIDEr-D 0', () => {
    const { warnings } = captionDiagnostics(new Map([[1, 'a b c d']]), new Map([[1, ['a b c d']]]));
    expect(warnings).toEqual([expect.stringMatching(/only one image: CIDEr-D is 0/)]);
  });

  it('warns of document frequencies of one image, not of one image with those of many', () => {
    const set = [new Map([[1, 'a b c d']]), new Map([[1, ['a b c d']]])] as const;
    const of = (numImages: number) => ({ documentFrequencies: { numImages, counts: new Map() } });
    expect(captionDiagnostics(...set, undefined, of(2)).warnings).toEqual([]);
    const three = new Map([1, 2, 3].map((id) => [id, `a red ball on table ${id}`]));
    expect(captionDiagnostics(three, references, undefined, of(1)).warnings).toEqual([
      expect.stringMatching(/^document frequencies of only one image: CIDEr-D is 0/),
    ]);
  });

  it('counts and warns of empty and equal captions', () => {
    const equal = captionDiagnostics(new Map([1, 2, 3].map((id) => [id, 'a cat sits on a mat'])), references);
    expect(equal.numDuplicates).toBe(2);
    expect(equal.warnings).toEqual([expect.stringMatching(/all 3 captions are identical/)]);
    const empty = captionDiagnostics(
      new Map([1, 2, 3].map((id) => [id, id === 2 ? ' . ' : `${id} b c d`])),
      references,
    );
    expect(empty.numEmpty).toBe(1);
    expect(empty.warnings).toEqual([expect.stringMatching(/^1 of 3 captions are empty/)]);
    const allEmpty = captionDiagnostics(new Map([1, 2, 3].map((id) => [id, ''])), references);
    expect(allEmpty).toMatchObject({ numEmpty: 3, distinct1: 0, distinct2: 0, lengthRatio: 0 });
  });

  it('warns of captions much longer or shorter than the references, and of few captions for many images', () => {
    const warningsOf = (caption: (id: number) => string) =>
      captionDiagnostics(new Map([1, 2, 3].map((id) => [id, caption(id)])), references).warnings;
    const chatty = warningsOf((id) => `image ${id} shows what seems to be a thing of some sort in a place somewhere`);
    expect(chatty).toEqual([expect.stringMatching(/^captions are 2.7 times as long/)]);
    const brief = captionDiagnostics(
      new Map([1, 2, 3].map((id) => [id, `${id} is a dog`])),
      new Map([1, 2, 3].map((id) => [id, [`image ${id} is of a dog`]])),
    );
    expect(brief.warnings).toEqual([expect.stringMatching(/^captions are 0.67 times as long/)]);
    const twice = warningsOf((id) => (id === 1 ? 'a red ball on a table' : 'two dogs in the grass'));
    expect(twice).toEqual([]);
    const many = new Map(Array.from({ length: 4 }, (_, id) => [id, [`a dog runs in the snow ${id}`]]));
    const few = new Map(Array.from({ length: 4 }, (_, id) => [id, `a dog runs in the snow ${id % 2}`]));
    expect(captionDiagnostics(few, many).warnings).toEqual([
      expect.stringMatching(/^2 of 4 captions repeat that of an earl/),
    ]);
  });

  it('counts the words that predictions use', () => {
    const predictions = new Map([1, 2, 3].map((id) => [id, `A dog runs in the ${id === 3 ? 'snow' : 'grass'}.`]));
    expect(captionDiagnostics(predictions, references)).toMatchObject({ vocabularySize: 7, numDuplicates: 1 });
  });

  it('warns of predictions and references too short for a 4-gram', () => {
    const { warnings } = captionDiagnostics(
      new Map([
        [1, 'red kite'],
        [2, 'a dog runs in grass'],
      ]),
      new Map([
        [1, ['green kite', 'kite']],
        [2, ['two dogs run in the grass', 'dogs']],
      ]),
    );
    expect(warnings).toEqual([
      expect.stringMatching(/^1 of 2 captions have fewer than 4 words/),
      expect.stringMatching(/^1 of 2 images have only references of fewer than 4 words/),
    ]);
  });
});

describe('distinctN', () => {
  it('divides distinct n-grams by all of them', () => {
    expect(distinctN(['a b a b', 'a c'], 1)).toBeCloseTo(3 / 6);
    expect(distinctN(['a b a b', 'a c'], 2)).toBeCloseTo(3 / 4);
    expect(distinctN(['a b'], 3)).toBe(0);
  });

  it('refuses n outside 1 to 4', () => {
    expect(() => distinctN(['a'], 5)).toThrow(/n from 1 to 4, got 5/);
    expect(() => distinctN(['a'], 0)).toThrow(/got 0/);
  });
});
