import { expect, it } from 'vitest';
import { rotaryDims, TokenFormerConfig } from '#src/tokenformer';

const small = { dModel: 24, numLayers: 1, numHeads: 4, qkvParamTokens: 2, outputParamTokens: 2, ffnParamTokens: 2 };

it('fills in what the official models have in common, rotary positions and epsilon apart', () => {
  expect(TokenFormerConfig.parse(small)).toEqual({
    ...small,
    normActivation: 'l2NormGelu',
    gelu: 'erf',
    normEpsilon: 1e-5,
    rotaryShare: 0,
    rotaryBase: 10_000,
  });
});

it('refuses heads that do not divide the width', () => {
  const result = TokenFormerConfig.safeParse({ ...small, numHeads: 5 });
  expect(result.error?.issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
    ['numHeads', 'expected a divisor of dModel 24, got 5'],
  ]);
});

it.each([
  ['dModel', 0],
  ['numLayers', 1.5],
  ['ffnParamTokens', -1],
  ['rotaryShare', 1.1],
  ['normEpsilon', -1e-9],
  ['gelu', 'relu'],
])('refuses %s %s', (key, value) => {
  expect(TokenFormerConfig.safeParse({ ...small, [key]: value }).success).toBe(false);
});

it.each([
  [0, 0],
  [0.25, 0],
  [0.5, 2],
  [0.7, 4],
  [1, 6],
])('turns, of heads of 6, a share of %d as %i dimensions: whole pairs', (rotaryShare, expected) => {
  expect(rotaryDims(TokenFormerConfig.parse({ ...small, rotaryShare }))).toBe(expected);
});
