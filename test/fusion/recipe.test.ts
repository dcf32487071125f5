import { describe, expect, it } from 'vitest';
import { BRIDGE_PARTS, FusionConfig, MergeRecipe } from '#fusion';
import { parseConfig } from '#src/config';
import { userErrorLine } from '../support/thrown.js';

describe('positionValues', () => {
  const config = (fusion: object): FusionConfig => FusionConfig.parse(fusion);

  it('is on where an image-value bridge can read positions, unless given', () => {
    expect(config({}).positionValues).toBe(true);
    expect(config({ positionValues: false }).positionValues).toBe(false);
    expect(config({ bridge: { parts: ['imageKey'] } }).positionValues).toBe(false);
    expect(config({ method: 'crossAttention' }).positionValues).toBe(false);
  });

  it('is refused in one line where no part would read it', () => {
    const parts = BRIDGE_PARTS.filter((part) => part !== 'imageValue');
    const recipe = {
      kind: 'merge',
      name: 'm',
      vision: 'v',
      language: 'l',
      fusion: { positionValues: true, bridge: { parts } },
    };
    expect(userErrorLine(() => parseConfig(recipe, MergeRecipe, 'merge.yaml'))).toBe(
      "merge.yaml: 'fusion.positionValues': expected 'imageValue' among bridge.parts with it: no other part reads positions",
    );
  });

  it('means the same when a checkpoint reads it back', () => {
    for (const bridge of [{}, { parts: ['imageKey'] }, { parts: ['imageValue'] }, { tokens: 0 }]) {
      expect(config(config({ bridge }))).toEqual(config({ bridge }));
    }
  });
});

describe('imageGate', () => {
  it('is left out where it is open, so that models from before the key have the same recipe', () => {
    const [unsaid, open] = [{}, { imageGate: 'open' as const }].map((keys) => FusionConfig.parse(keys));
    expect(open).toEqual(unsaid);
    expect(unsaid).not.toHaveProperty('imageGate');
    expect(FusionConfig.parse(FusionConfig.parse({ imageGate: 'closed' })).imageGate).toBe('closed');
  });

  it('is refused in one line by methods without it', () => {
    for (const method of ['union', 'crossAttention', 'prefix']) {
      const { error } = FusionConfig.safeParse({ method, imageGate: 'closed' });
      expect(error?.issues.map(({ message }) => message)).toEqual([
        `expected open with method '${method}', got closed; methods that use it: routed, grouped`,
      ]);
    }
  });
});

describe('method', () => {
  const refusals = (fusion: object): string =>
    userErrorLine(() =>
      parseConfig({ kind: 'merge', name: 'm', vision: 'v', language: 'l', fusion }, MergeRecipe, 'm'),
    );

  it('takes the options that it uses and no other', () => {
    expect(refusals({ method: 'crossAttention', recalibrate: true })).toBe(
      "m: 'fusion.recalibrate': expected false with method 'crossAttention', got true; methods that use it: union",
    );
    expect(refusals({ method: 'prefix', imageStates: 'perLayer' })).toContain(
      "'fusion.imageStates': expected last with",
    );
    expect(refusals({ method: 'prefix', positionValues: true })).toContain(
      'methods that use it: routed, grouped, union',
    );
    expect(FusionConfig.parse({ method: 'union', recalibrate: true, imageStates: 'perLayer' }).recalibrate).toBe(true);
  });

  it('takes the bridge parts that it has and no other', () => {
    expect(refusals({ method: 'prefix', bridge: { parts: ['imageKey'] } })).toBe(
      "m: 'fusion.bridge.parts': expected parts of method 'prefix' (prefix), got imageKey",
    );
    expect(refusals({ method: 'crossAttention', bridge: { parts: ['crossQuery', 'crossValue'] } })).toBe(
      "m: 'fusion.bridge.parts': expected crossOutput among them: attention needs it",
    );
    expect(refusals({ method: 'prefix', bridge: { tokens: 0 } })).toContain("expected 1 or more: method 'prefix' is");
  });

  it('is refused in one line when nothing of the name is registered', () => {
    expect(refusals({ method: 'route' })).toBe(
      "m: 'fusion.method': expected routed, grouped, union, crossAttention, prefix; got 'route' (did you mean 'routed'?); --plugin <file> registers a method of your own",
    );
    expect(refusals({ method: 3 })).toContain("'fusion.method': expected text; got 3");
  });

  it('leaves a parsed recipe with its keys in one order, whose hash names a study', () => {
    expect(JSON.stringify(FusionConfig.parse({ bridge: { parts: ['imageKey'], tokens: 4 }, method: 'grouped' }))).toBe(
      '{"method":"grouped","imageStates":"last","recalibrate":false,"positionValues":false,"bridge":{"tokens":4,"kind":"pattention","parts":["imageKey"]}}',
    );
  });
});
