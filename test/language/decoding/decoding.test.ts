import { describe, expect, it } from 'vitest';
import { DECODING_OPTIONS_BY_METHOD, Decoding, stopIdsOf } from '#language';
import { userErrorLine } from '../../support/thrown.js';
import { byteTokenizer } from '../data/textFixture.js';

describe('Decoding', () => {
  it('fills in what is not given', () => {
    const common = { maxTokens: 48, minTokens: 0, repetitionPenalty: 1, stopTokens: [] };
    expect(Decoding.parse({ method: 'greedy' })).toEqual({ method: 'greedy', ...common });
    expect(Decoding.parse({ method: 'beam' })).toEqual({
      method: 'beam',
      width: 5,
      lengthPenalty: 0,
      nBest: 1,
      ...common,
    });
    expect(Decoding.parse({ method: 'sample', topP: 0.9 })).toMatchObject({ temperature: 1, topP: 0.9, numSamples: 1 });
  });

  it('refuses every option that has no effect on its method', () => {
    const methods = Object.keys(DECODING_OPTIONS_BY_METHOD) as Decoding['method'][];
    const all = new Set(methods.flatMap((method) => Object.keys(DECODING_OPTIONS_BY_METHOD[method])));
    const values: Record<string, unknown> = { stopTokens: [] };
    for (const method of methods) {
      for (const key of all) {
        const { success } = Decoding.safeParse({ method, [key]: values[key] ?? 1 });
        expect(success, `${method} ${key}`).toBe(key in DECODING_OPTIONS_BY_METHOD[method]);
      }
    }
    expect(all.size).toBe(12);
  });

  it.each([
    [{ method: 'beam', width: 2, nBest: 3 }, 'nBest', 'expected at most width, 2; got 3'],
    [{ method: 'greedy', minTokens: 9, maxTokens: 8 }, 'minTokens', 'expected at most maxTokens, 8; got 9'],
  ])('refuses %o', (settings, key, message) => {
    const { error } = Decoding.safeParse(settings);
    expect(error?.issues).toMatchObject([{ path: [key], message }]);
  });
});

describe('stopIdsOf', () => {
  it('is the end of text and one id for each stop token', () => {
    expect(stopIdsOf({ stopTokens: ['.', '!', '.'] }, byteTokenizer)).toEqual([256, 46, 33]);
  });

  it('refuses a text of several tokens', () => {
    expect(userErrorLine(() => stopIdsOf({ stopTokens: ['. '] }, byteTokenizer))).toContain(
      "expected texts that are one token each, '. ' is 2 tokens",
    );
  });
});
