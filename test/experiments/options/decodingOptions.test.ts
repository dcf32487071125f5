import { describe, expect, it } from 'vitest';
import { Decoding } from '#language';
import type { Arguments } from '#src/cli';
import { ConfigError } from '#src/errors';
import { DECODING_OPTIONS, decodingOf } from '../../../experiments/options/index.js';
import { userErrorLine } from '../../support/thrown.js';

function argumentsOf(options: Readonly<Record<string, string | readonly string[]>>): Arguments {
  for (const name of Object.keys(options)) expect(DECODING_OPTIONS).toHaveProperty(name);
  const one = (name: string): string | undefined => {
    const value = options[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    positionals: [],
    text: one,
    texts: (name) => (Array.isArray(options[name]) ? options[name] : []),
    commandLine: 'tokenfuse',
    flag: () => false,
  };
}

describe('decodingOf', () => {
  it.each([
    [{}, { method: 'greedy' }],
    [{ 'max-tokens': '9' }, { method: 'greedy', maxTokens: 9 }],
    [
      { width: '3', 'length-penalty': '0.5', 'stop-tokens': ['.', '!'] },
      { method: 'beam', width: 3, lengthPenalty: 0.5, stopTokens: ['.', '!'] },
    ],
    [
      { 'top-p': '0.9', seed: '-4' },
      { method: 'sample', topP: 0.9, seed: -4 },
    ],
    [
      { decoding: 'beam', 'repetition-penalty': '1.2' },
      { method: 'beam', repetitionPenalty: 1.2 },
    ],
    [{ decoding: 'sample' }, { method: 'sample' }],
  ])('reads %o', (options, decoding) => {
    expect(decodingOf(argumentsOf(options))).toEqual(Decoding.parse(decoding));
  });

  it.each([
    [{ decoding: 'beem' }, "--decoding: expected greedy, beam, sample; got 'beem' (did you mean 'beam'?)"],
    [{ decoding: 'greedy', 'top-k': '3' }, '--top-k: has no effect on --decoding greedy, only on sample'],
    [
      { width: '3', temperature: '2' },
      'expected options of one way of decoding, got --width (beam), --temperature (sample)',
    ],
    [{ width: 'three' }, "--width: expected a number, got 'three'"],
    [{ temperature: '' }, "--temperature: expected a number, got ''"],
    [{ temperature: 'NaN' }, "--temperature: expected a number, got 'NaN'"],
    [{ temperature: 'Infinity' }, "--temperature: expected a number, got 'Infinity'"],
    [{ temperature: '-1' }, '--temperature: expected a number of at least 0, got -1'],
    [{ width: '2.5' }, '--width: expected an integer'],
    [{ 'max-tokens': '0' }, '--max-tokens: expected a number above 0, got 0'],
    [{ 'top-p': '1.5' }, '--top-p: expected a number of at most 1, got 1.5'],
    [{ width: '2', 'n-best': '3' }, '--n-best: expected at most width, 2; got 3'],
  ])('refuses %o', (options, message) => {
    expect(() => decodingOf(argumentsOf(options))).toThrow(ConfigError);
    expect(userErrorLine(() => decodingOf(argumentsOf(options)))).toContain(message);
  });
});
