import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assignPhrases,
  COLOURS,
  captionScene,
  disagreements,
  type ObjectPhrase,
  parseCaption,
  RELATIONS,
  type Scene,
  type SceneObject,
  SHAPES,
  SIZES,
  sceneAccuracy,
} from '#scenes';
import { createRandom } from '#src/random';
import { drawScene } from './drawScene.js';

const scenes = Array.from({ length: 1500 }, (_, seed) => drawScene(seed));
const captions = scenes.map((scene, seed) => captionScene(scene, createRandom(seed, 'caption')));

const circle: SceneObject = {
  shape: 'circle',
  colour: 'red',
  size: 'small',
  x: 10,
  y: 12,
  extent: 13,
  fill: '#da2c2c',
};
const ring: SceneObject = { shape: 'ring', colour: 'blue', size: 'large', x: 34, y: 14, extent: 20, fill: '#345ce8' };
const cross: SceneObject = {
  shape: 'cross',
  colour: 'white',
  size: 'small',
  x: 30,
  y: 38,
  extent: 13,
  fill: '#f4f4f4',
};
const sceneOf = (...objects: SceneObject[]): Scene => ({
  imageSize: 48,
  ground: { kind: 'plain', fill: '#222222', noiseSeed: 0 },
  objects,
});
const score = (caption: string, ...objects: SceneObject[]) => sceneAccuracy([caption], [sceneOf(...objects)]);

describe('sceneAccuracy', () => {
  it('is 1 on every true caption of the generator', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (sceneSeed, seed) => {
        const scene = drawScene(sceneSeed);
        const result = sceneAccuracy([captionScene(scene, createRandom(seed))], [scene]);
        const { colour, shape, size, object, exactScene } = result;
        expect([colour, shape, size, object, exactScene]).toEqual([1, 1, 1, 1, 1]);
        expect(result.relation).toBe(scene.objects.length >= 2 ? 1 : null);
      }),
      { numRuns: 500 },
    );
  });

  it('is one half for relations drawn at random, and leaves the objects right', () => {
    const random = createRandom(0, 'relations');
    const phrases = Object.values(RELATIONS).flatMap((relation) => relation.phrases);
    const guessed = captions.map((caption) =>
      caption.replace(/to the (left|right) of|(left|right) of|above|over|below|under/, () => random.choice(phrases)),
    );
    const result = sceneAccuracy(guessed, scenes);
    expect(result.object).toBe(1);
    expect(Math.abs((result.relation as number) - 0.5)).toBeLessThan(0.05);
    const exactOfOne = result.perImage.filter(({ numObjects }) => numObjects === 1).length;
    expect(result.exactScene).toBeCloseTo(
      (exactOfOne + (result.relation as number) * result.counts.relations) / scenes.length,
    );
  });

  it('is low for captions of other scenes', () => {
    const shifted = [...captions.slice(1), captions[0]];
    const { object, exactScene } = sceneAccuracy(shifted, scenes);
    expect(object).toBeLessThan(0.1);
    expect(exactScene).toBeLessThan(0.01);
  });

  it('tells the pairs that the first object alone answers from the others', () => {
    const found = scenes.flatMap((scene) => disagreements(scene).map((about) => ({ scene, about })));
    const about = found.map(({ scene, about }, seed) => captionScene(scene, createRandom(seed), about));
    const result = sceneAccuracy(
      about,
      found.map(({ scene }) => scene),
    );
    expect(result.counts.relationsDisagree).toBe(found.length);
    expect(result.relationDisagree).toBe(1);
    expect(result.relationAgree).toBe(null);
    // The rule that answers with the first object's own side is always wrong here.
    const ownSide = about.map((caption) =>
      caption.replace(/left|right|above|over|below|under/, (word) => OPPOSITE[word as keyof typeof OPPOSITE]),
    );
    expect(
      sceneAccuracy(
        ownSide,
        found.map(({ scene }) => scene),
      ).relationDisagree,
    ).toBe(0);
  });

  it('counts each attribute on its own', () => {
    const { colour, shape, size, object, relation, exactScene } = score(
      'a little red circle left of a large green cross',
      circle,
      ring,
    );
    expect([colour, shape, size, object, relation, exactScene]).toEqual([0.5, 0.5, 1, 0.5, 1, 0]);
  });

  it('asks for a relation in scenes of two objects, and for none in scenes of one', () => {
    expect(score('a small red circle and a big blue ring', circle, ring).relation).toBe(0);
    expect(score('a small red circle and a big blue ring', circle, ring).exactScene).toBe(0);
    expect(score('a small red circle', circle).relation).toBe(null);
    expect(score('a small red circle', circle).exactScene).toBe(1);
    expect(score('a small red circle to the left of', circle).exactScene).toBe(0);
  });

  it('does not let a caption have it both ways', () => {
    expect(score('a small red circle left of right of a big blue ring', circle, ring).relation).toBe(0);
    expect(score('a small large red blue circle', { ...circle, size: 'large', colour: 'blue' }).object).toBe(0);
    const everything = SIZES.flatMap((size) =>
      COLOURS.flatMap((colour) => SHAPES.map((shape) => `a ${size} ${colour} ${shape}`)),
    ).join(' , ');
    expect(score(everything, circle, ring).exactScene).toBe(0);
  });

  it('matches phrases to objects whatever their order', () => {
    const caption = 'a small white cross below a large blue ring with a small red circle';
    expect(score(caption, circle, ring, cross)).toMatchObject({ object: 1, relation: 1, exactScene: 1 });
  });

  it('judges the relation of phrases that name their objects wrongly', () => {
    expect(score('a large green square left of a small yellow diamond', circle, ring).counts.relations).toBe(1);
  });

  it('takes any string', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { object } = sceneAccuracy([text], [scenes[0]]);
        expect(object).toBeGreaterThanOrEqual(0);
        expect(object).toBeLessThanOrEqual(1);
      }),
    );
    expect(score('', circle).object).toBe(0);
  });

  it('has nothing to say on nothing, and refuses unequal lengths', () => {
    expect(sceneAccuracy([], [])).toMatchObject({ object: null, relation: null, exactScene: null });
    expect(() => sceneAccuracy(['a'], [])).toThrow(/expected one prediction per scene, got 1 for 0/);
  });
});

const OPPOSITE = { left: 'right', right: 'left', above: 'below', over: 'under', below: 'above', under: 'over' };

describe('parseCaption', () => {
  it('reads adjectives in any order, any case and with punctuation', () => {
    expect(parseCaption('The RED little circle, with a ring.').phrases).toEqual([
      { colour: 'red', size: 'small', shape: 'circle' },
      { shape: 'ring' },
    ]);
  });

  it('passes over words it does not know', () => {
    expect(parseCaption('a small qx red circle').phrases).toEqual([{ colour: 'red', size: 'small', shape: 'circle' }]);
    expect(parseCaption('constructor toString').phrases).toEqual([]);
  });

  it('keeps what a phrase without a shape says', () => {
    expect(parseCaption('a small red left of a ring')).toEqual({
      phrases: [{ colour: 'red', size: 'small' }, { shape: 'ring' }],
      relations: ['left'],
    });
  });

  it('takes the relation between the first two phrases alone', () => {
    expect(parseCaption('a red ring above a red cross left of a red circle').relations).toEqual(['above']);
    expect(parseCaption('on the left a red ring and a red cross').relations).toEqual([]);
  });
});

describe('assignPhrases', () => {
  it('finds the best of all assignments', () => {
    const phrase = fc.record(
      {
        size: fc.constantFrom(...SIZES),
        colour: fc.constantFrom(...COLOURS.slice(0, 3)),
        shape: fc.constantFrom(...SHAPES.slice(0, 3)),
      },
      { requiredKeys: [] },
    );
    const object = fc
      .record({
        size: fc.constantFrom(...SIZES),
        colour: fc.constantFrom(...COLOURS.slice(0, 3)),
        shape: fc.constantFrom(...SHAPES.slice(0, 3)),
      })
      .map((attributes) => ({ ...circle, ...attributes }));
    fc.assert(
      fc.property(fc.array(phrase, { maxLength: 5 }), fc.array(object, { maxLength: 3 }), (phrases, objects) => {
        const assigned = assignPhrases(phrases, objects);
        const used = assigned.filter((p) => p !== undefined);
        expect(new Set(used).size).toBe(used.length);
        expect(used.length).toBe(Math.min(phrases.length, objects.length));
        expect(total(assigned, phrases, objects)).toBe(bestTotal(phrases, objects, []));
      }),
    );
  });
});

function total(
  assigned: readonly (number | undefined)[],
  phrases: readonly ObjectPhrase[],
  objects: readonly SceneObject[],
): number {
  return objects.reduce((sum, object, o) => {
    const phrase = assigned[o] === undefined ? undefined : phrases[assigned[o]];
    if (phrase === undefined) return sum;
    const right = (['size', 'colour', 'shape'] as const).filter((key) => phrase[key] === object[key]).length;
    return sum + (right === 3 ? 4 : right);
  }, 0);
}

/** By trying every one. */
function bestTotal(
  phrases: readonly ObjectPhrase[],
  objects: readonly SceneObject[],
  chosen: readonly (number | undefined)[],
): number {
  if (chosen.length === objects.length) return total(chosen, phrases, objects);
  const options = [undefined, ...phrases.keys()].filter((p) => p === undefined || !chosen.includes(p));
  return Math.max(...options.map((p) => bestTotal(phrases, objects, [...chosen, p])));
}
