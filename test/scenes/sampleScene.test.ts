import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COLOURS, clearRelations, type Scene, SHAPES, SIZES } from '#scenes';
import { DEFAULTS, drawScene } from './drawScene.js';

const names = (scene: Scene) => scene.objects.map(({ colour, shape }) => `${colour} ${shape}`);
const isHeldOut = (name: string) => DEFAULTS.heldOut.includes(name);

describe('sampleScene', () => {
  it('keeps objects apart, inside the image, and of different combinations', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(24, 48, 96), (seed, imageSize) => {
        const scene = drawScene(seed, 'all', { imageSize });
        expect(new Set(names(scene)).size).toBe(scene.objects.length);
        scene.objects.forEach((a, i) => {
          for (const centre of [a.x, a.y]) {
            expect(centre - a.extent / 2).toBeGreaterThan(0);
            expect(centre + a.extent / 2).toBeLessThan(imageSize);
          }
          for (const b of scene.objects.slice(0, i)) {
            const apart = Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y));
            expect(apart).toBeGreaterThan((a.extent + b.extent) / 2);
            expect(clearRelations(scene, a, b).length).toBeGreaterThan(0);
          }
        });
      }),
    );
  });

  it('draws small objects of 12 to 14 and large ones of 19 to 21 pixels at 48', () => {
    for (let seed = 0; seed < 300; seed++) {
      for (const { size, extent } of drawScene(seed).objects) {
        expect(extent).toBeGreaterThanOrEqual(size === 'small' ? 12 : 19);
        expect(extent).toBeLessThanOrEqual(size === 'small' ? 14 : 21);
      }
    }
  });

  it('obeys the combination rule', () => {
    for (let seed = 0; seed < 500; seed++) {
      expect(names(drawScene(seed, 'seen')).filter(isHeldOut)).toEqual([]);
      expect(names(drawScene(seed, 'heldOut')).filter(isHeldOut).length).toBeGreaterThan(0);
    }
  });

  it('shows every combination and size under the rule "all"', () => {
    const shown = new Set<string>();
    for (let seed = 0; seed < 1500; seed++) {
      for (const { size, colour, shape } of drawScene(seed).objects) shown.add(`${size} ${colour} ${shape}`);
    }
    expect(shown.size).toBe(SIZES.length * COLOURS.length * SHAPES.length);
  });

  it('keeps to the number of objects asked for', () => {
    const counts = (minObjects: number, maxObjects: number) =>
      new Set(
        Array.from({ length: 100 }, (_, seed) => drawScene(seed, 'all', { minObjects, maxObjects }).objects.length),
      );
    expect(counts(1, 3)).toEqual(new Set([1, 2, 3]));
    expect(counts(2, 2)).toEqual(new Set([2]));
  });

  it('is a function of its random stream', () => {
    expect(drawScene(5)).toEqual(drawScene(5));
    expect(drawScene(5)).not.toEqual(drawScene(6));
  });
});
