import { describe, expect, it } from 'vitest';
import { chooseGroups, groupPaths } from '#src/remote';
import { userErrorLine } from '../support/thrown.js';

const paths = [
  'block0/ffn/language',
  'block0/ffn/language.verse',
  'block0/attention/key/imageBridge',
  'block1/ffn/language',
];

describe('patterns of groups', () => {
  it.each([
    ['language', [0, 3]],
    ['language.*', [1]],
    ['*Bridge', [2]],
    ['block0/*', [0, 1, 2]],
    ['block*/ffn/language', [0, 3]],
    ['*Bridge, language.verse', [1, 2]],
    ['*', [0, 1, 2, 3]],
  ])('%s', (patterns, chosen) => {
    expect(chooseGroups(paths, patterns, '--groups')).toEqual(chosen.map((i) => paths[i]));
  });

  it('that fit nothing are refused with the names there are', () => {
    expect(userErrorLine(() => chooseGroups(paths, 'langage', '--groups'))).toBe(
      "--groups: expected names or paths of groups (language, language.verse, imageBridge), got 'langage' (did you mean 'language'?)",
    );
    expect(userErrorLine(() => chooseGroups(paths, 'a.b', '--groups'))).toContain("got 'a.b'");
  });
});

it('paths come from the names of keys', () => {
  const names = ['block0/ffn/language/keyParamTokens', 'block0/ffn/language/tau', 'language/finalNorm/scale'];
  expect(groupPaths(names)).toEqual(['block0/ffn/language']);
});
