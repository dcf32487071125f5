import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseConfig } from '#src/config';
import { StackConfig, TokenFormerStack } from '#src/stacks';
import { mlpHidden, type TransformerConfig } from '#src/transformer';
import { userErrorLine } from '../support/thrown.js';
import { TINY_STACK } from '../support/tinyBackbones.js';

const Model = z.strictObject({ stack: StackConfig });
const Mergeable = z.strictObject({ stack: TokenFormerStack });
const TRANSFORMER = { kind: 'transformer', dModel: 8, numLayers: 1, numHeads: 2 };

const problem = (stack: object, schema: z.ZodType = Model): string =>
  userErrorLine(() => parseConfig({ stack }, schema, 'file'));

describe('StackConfig', () => {
  it('takes a stack without a kind for a TokenFormer, and adds nothing to it', () => {
    expect(StackConfig.parse(TINY_STACK)).toEqual(TINY_STACK);
    expect(TokenFormerStack.parse({ ...TINY_STACK, kind: 'tokenformer' })).toEqual({
      ...TINY_STACK,
      kind: 'tokenformer',
    });
  });

  it('takes a standard Transformer, whose MLP has 4 · dModel units unless another number is given', () => {
    const config = StackConfig.parse(TRANSFORMER) as TransformerConfig;
    expect(config).toEqual({ ...TRANSFORMER, gelu: 'erf', rotaryShare: 0, rotaryBase: 10_000 });
    expect(mlpHidden(config)).toBe(32);
    expect(mlpHidden({ ...config, mlpHidden: 20 })).toBe(20);
  });

  it('says what is wrong in the words of the kind that was meant', () => {
    expect(problem({ ...TINY_STACK, qkvParamTokens: 0 })).toBe(
      "file: 'stack.qkvParamTokens': expected a number above 0; got 0",
    );
    expect(problem({ ...TRANSFORMER, numHeads: 3 })).toBe(
      "file: 'stack.numHeads': expected a divisor of dModel 8, got 3",
    );
    expect(problem({ ...TRANSFORMER, ffnParamTokens: 3 })).toBe(
      "file: unknown key 'stack.ffnParamTokens'; known here: kind, dModel, numLayers, numHeads, mlpHidden, gelu, rotaryShare, rotaryBase",
    );
    expect(problem({ ...TRANSFORMER, kind: 'transfomer' })).toBe(
      "file: 'stack.kind': expected tokenformer, transformer; got 'transfomer' (did you mean 'transformer'?)",
    );
    expect(problem({ dModel: 8, numLayers: 1, numHeads: 2, outputParamTokens: 1, ffnParamTokens: 1 })).toBe(
      "file: 'stack.qkvParamTokens' is missing: expected a number or a group of keys",
    );
  });

  it('refuses a standard Transformer where parameter tokens are needed', () => {
    expect(problem(TRANSFORMER, Mergeable)).toBe(
      "file: 'stack': expected the blocks of a TokenFormer, got a standard Transformer, which has no parameter tokens",
    );
  });
});
