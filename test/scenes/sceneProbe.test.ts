import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assignPhrases,
  COLOURS,
  captionScene,
  disagreements,
  type ObjectPhrase,
  parseCaption,
  probeScenes,
  RELATIONS,
  type Scene,
  type SceneObject,
  SHAPES,
  SIZES,
  sceneProbe,
} from '#scenes';
import { createRandom } from '#src/random';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';
import { drawScene } from './drawScene.js';
import { sceneScores } from './sceneScores.js';

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
const score = (caption: string, ...objects: SceneObject[]) => sceneScores([caption], [sceneOf(...objects)]).shares;

describe('sceneProbe: what a caption has right', () => {
  it('is everything in every true caption of the generator', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (sceneSeed, seed) => {
        const scene = drawScene(sceneSeed);
        const caption = captionScene(scene, createRandom(seed));
        const { colour, shape, size, object, relation, exactScene } = sceneScores([caption], [scene]).shares;
        expect([colour, shape, size, object, exactScene]).toEqual([1, 1, 1, 1, 1]);
        expect(relation).toBe(scene.objects.length >= 2 ? 1 : null);
        expect(probeScenes([scene]).assess(caption, 0).exact).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('is half of the relations drawn at random, and all objects', () => {
    const random = createRandom(0, 'relations');
    const phrases = Object.values(RELATIONS).flatMap((relation) => relation.phrases);
    const guessed = captions.map((caption) =>
      caption.replace(/to the (left|right) of|(left|right) of|above|over|below|under/, () => random.choice(phrases)),
    );
    const { shares, counts } = sceneScores(guessed, scenes);
    expect(shares.object).toBe(1);
    expect(Math.abs((shares.relation as number) - 0.5)).toBeLessThan(0.05);
    const exactOfOne = scenes.filter(({ objects }) => objects.length === 1).length;
    expect(shares.exactScene).toBeCloseTo(
      (exactOfOne + (shares.relation as number) * counts.relations) / scenes.length,
    );
  });

  it('is little in captions of other scenes', () => {
    const { object, exactScene } = sceneScores([...captions.slice(1), captions[0]], scenes).shares;
    expect(object).toBeLessThan(0.1);
    expect(exactScene).toBeLessThan(0.01);
  });

  it('tells the pairs that the first object alone answers from the others', () => {
    const found = scenes.flatMap((scene) => disagreements(scene).map((about) => ({ scene, about })));
    const ofFound = found.map(({ scene }) => scene);
    const about = found.map(({ scene, about }, seed) => captionScene(scene, createRandom(seed), about));
    const { shares, counts } = sceneScores(about, ofFound);
    expect(counts.relationsDisagree).toBe(found.length);
    expect([shares.relationDisagree, shares.relationAgree]).toEqual([1, null]);
    // The rule that answers with the first object's own side is always wrong here.
    const ownSide = about.map((caption) =>
      caption.replace(/left|right|above|over|below|under/, (word) => OPPOSITE[word as keyof typeof OPPOSITE]),
    );
    expect(sceneScores(ownSide, ofFound).shares.relationDisagree).toBe(0);
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
    const caption = 'a large green square left of a small yellow diamond';
    expect(sceneScores([caption], [sceneOf(circle, ring)]).counts).toEqual({
      images: 1,
      objects: 2,
      relations: 1,
      relationsAgree: 1,
      relationsDisagree: 0,
    });
  });

  it('is found in any string', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { object } = sceneScores([text], [scenes[0]]).shares;
        expect(object).toBeGreaterThanOrEqual(0);
        expect(object).toBeLessThanOrEqual(1);
      }),
    );
    expect(score('', circle).object).toBe(0);
  });
});

describe('sceneProbe: what a caption states', () => {
  const stated = (caption: string, ...objects: SceneObject[]) => probeScenes([sceneOf(...objects)]).stated(caption, 0);

  it('is a true relation of its first two phrases, with its opposite', () => {
    // The circle is in the left half: its own side answers.
    expect(stated('a small red circle left of a large blue ring', circle, ring)).toEqual({
      stated: 'left',
      opposite: 'right',
      shortcut: true,
    });
    // Both are in the upper half, so that being above has to be seen by comparing.
    expect(stated('a large blue ring under a small red circle', circle, ring)).toEqual({
      stated: 'below',
      opposite: 'above',
      shortcut: false,
    });
  });

  it('is nothing where the relation is false, missing or of one object', () => {
    expect(stated('a small red circle right of a large blue ring', circle, ring)).toBeUndefined();
    expect(stated('a small red circle and a large blue ring', circle, ring)).toBeUndefined();
    expect(stated('a small red circle', circle)).toBeUndefined();
  });

  it('is said in words of the choice alone', () => {
    const { options, words } = sceneProbe.choice;
    expect(options).toEqual({ left: ['left'], right: ['right'], above: ['above', 'over'], below: ['below', 'under'] });
    expect(Object.values(options).flat()).toEqual(words.filter((word) => word !== 'to'));
  });
});

describe('sceneProbe.open', () => {
  it('reads scenes in the order of the images, and names one that is missing', () => {
    const path = join(temporaryFolder(), 'scenes.json');
    const records = [
      { id: 7, ...sceneOf(ring) },
      { id: 3, ...sceneOf(circle) },
    ];
    writeFileSync(path, JSON.stringify({ scenes: records }));
    const images = sceneProbe.open(path, [3, 7]);
    expect([0, 1].map((image) => images.assess('a small red circle', image).exact)).toEqual([true, false]);
    expect(userErrorLine(() => sceneProbe.open(path, [3, 4]))).toBe(`${path}: expected a scene with id 4, it has none`);
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
