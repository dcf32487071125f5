import { expect, it } from 'vitest';
import { createStackParameters, stackMultiplyAdds, trainingFlops } from '#src/stacks';
import { grownStack } from '#src/tokenformer';
import { tinyLanguageConfig } from '../support/tinyLanguageModel.js';
import { tinyTransformerConfig } from '../support/tinyTransformer.js';

const stacks = {
  tokenformer: tinyLanguageConfig.stack,
  grown: grownStack(tinyLanguageConfig.stack, { policy: 'group', factor: 2 }),
  transformer: tinyTransformerConfig().stack,
};

it.each(Object.entries(stacks))('counts every matrix of a %s once a token', (_, stack) => {
  const matrices = [...createStackParameters('language', stack, 1).values()].filter(({ shape }) => shape.length === 2);
  const weights = matrices.reduce((sum, { values }) => sum + values.length, 0);
  const attention = (pairs: number): number => stack.numLayers * 2 * stack.dModel * pairs;
  expect(stackMultiplyAdds(stack, 5, 'full')).toBe(5 * weights + attention(25));
  expect(stackMultiplyAdds(stack, 5, 'causal')).toBe(5 * weights + attention(15));
});

it('gives a training step of one matrix six operations a weight and token', () => {
  expect(trainingFlops(7)).toBe(42);
});
