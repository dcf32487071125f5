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
