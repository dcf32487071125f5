import { describe, expect, it } from 'vitest';
import { COMBINATIONS, ScenesConfig } from '#scenes';
import { parseConfig } from '#src/config';
import { ConfigError } from '#src/errors';

function problems(value: unknown): string {
  try {
    parseConfig(value, ScenesConfig, 'scenes');
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  return '';
}

describe('ScenesConfig', () => {
  it('needs nothing', () => {
    const config = ScenesConfig.parse({});
    expect(config.imageSize / config.patchSize).toBe(4);
    expect(config.heldOut).toHaveLength(8);
    expect(ScenesConfig.parse({ counts: { testSeen: 7 } }).counts).toEqual({ ...config.counts, testSeen: 7 });
  });

  it('refuses unknown keys, also among the counts', () => {
    expect(problems({ imagesize: 48 })).toMatch(/imageSize/);
    expect(problems({ counts: { visionTrian: 3 } })).toMatch(/visionTrain/);
  });

  it('refuses a patch that does not divide the image', () => {
    expect(problems({ patchSize: 10 })).toMatch(/'patchSize': expected a divisor of imageSize 48, got 10/);
  });

  it('refuses fewer objects at most than at least', () => {
    expect(problems({ minObjects: 3, maxObjects: 2 })).toMatch(/'minObjects': expected at most maxObjects 2, got 3/);
  });

  it('suggests the combination that was meant', () => {
    expect(problems({ heldOut: ['purpel circle'] })).toMatch(/'heldOut.0'.*did you mean 'purple circle'/);
  });

  it('refuses a held-out list that leaves a colour unseen', () => {
    const heldOut = COMBINATIONS.filter(({ colour }) => colour === 'red').map(({ name }) => name);
    expect(problems({ heldOut })).toMatch(/'heldOut': .*red/);
  });

  it('refuses held-out tests without held-out combinations', () => {
    expect(problems({ heldOut: [] })).toMatch(/'heldOut'/);
    expect(problems({ heldOut: [], counts: { testHeldOut: 0, testDisagreeHeldOut: 0 } })).toBe('');
  });
});
