import { describe, expect, it } from 'vitest';
import {
  clearRelations,
  disagreements,
  ownSideAnswers,
  RELATION_MARGIN,
  RELATIONS,
  relationHolds,
  type Scene,
  type SceneObject,
} from '#scenes';
import { drawScene } from './drawScene.js';

const object = (x: number, y: number): SceneObject => ({
  shape: 'circle',
  colour: 'red',
  size: 'small',
  x,
  y,
  extent: 13,
  fill: '#ff0000',
});
const scene = (...objects: SceneObject[]): Scene => ({
  imageSize: 48,
  ground: { kind: 'plain', fill: '#000000', noiseSeed: 0 },
  objects,
});

describe('relations', () => {
  it('hold by the centres, with y downwards', () => {
    const [a, b] = [object(10, 30), object(30, 10)];
    expect(relationHolds('left', a, b)).toBe(true);
    expect(relationHolds('right', a, b)).toBe(false);
    expect(relationHolds('below', a, b)).toBe(true);
    expect(relationHolds('above', a, b)).toBe(false);
  });

  it('are clear only from the margin on', () => {
    const margin = RELATION_MARGIN * 48;
    const [a, b] = [object(10, 10), object(10 + margin - 0.01, 40)];
    expect(clearRelations(scene(a, b), a, b)).toEqual(['above']);
    const c = object(10 + margin, 40);
    expect(clearRelations(scene(a, c), a, c)).toEqual(['left', 'above']);
  });

  it('are answered by the own side exactly when it points the same way', () => {
    // Both in the left half: the outer one is answered by its side, the inner one is not.
    const [outer, inner] = [object(8, 8), object(20, 40)];
    const both = scene(outer, inner);
    expect(ownSideAnswers(both, outer, inner, 'x')).toBe(true);
    expect(ownSideAnswers(both, inner, outer, 'x')).toBe(false);
    expect(disagreements(both)).toEqual([{ first: 1, second: 0, axis: 'x' }]);
  });

  it('are answered by the own side for most random pairs, but not all', () => {
    let answered = 0;
    let pairs = 0;
    for (let seed = 0; seed < 3000; seed++) {
      const drawn = drawScene(seed, 'all', { minObjects: 2, maxObjects: 2 });
      for (const relation of clearRelations(drawn, drawn.objects[0], drawn.objects[1])) {
        pairs++;
        answered += Number(ownSideAnswers(drawn, drawn.objects[0], drawn.objects[1], RELATIONS[relation].axis));
      }
    }
    expect(answered / pairs).toBeGreaterThan(0.89);
    expect(answered / pairs).toBeLessThan(0.95);
  });
});
