import { type CombinationRule, type Scene, ScenesConfig, sampleScene } from '#scenes';
import { createRandom } from '#src/random';

/** Default settings, and scene number `seed` under them. */
export const DEFAULTS = ScenesConfig.parse({});

export function drawScene(seed: number, rule: CombinationRule = 'all', settings: Partial<ScenesConfig> = {}): Scene {
  return sampleScene(createRandom(seed, 'test scene'), { ...DEFAULTS, ...settings }, rule);
}
