import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { captionScene, disagreements, languageSentence, RELATION_WORDS, RELATIONS } from '#scenes';
import { createRandom } from '#src/random';
import { drawScene } from './drawScene.js';

const TOKENS = /^[a-z]+( ([a-z]+|,))*$/;

describe('captionScene', () => {
  it('is lower case with single spaces and commas as words', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (sceneSeed, seed) => {
        expect(captionScene(drawScene(sceneSeed), createRandom(seed))).toMatch(TOKENS);
      }),
    );
  });

  it('names every object once and a relation exactly where there are two objects or more', () => {
    for (let seed = 0; seed < 500; seed++) {
      const scene = drawScene(seed);
      const caption = captionScene(scene, createRandom(seed));
      for (const { colour, shape } of scene.objects) expect(caption.split(`${colour} ${shape}`)).toHaveLength(2);
      const relations = Object.values(RELATIONS).flatMap(({ phrases }) => phrases);
      const stated = relations.filter((phrase) => ` ${caption} `.includes(` ${phrase} `));
      expect(stated.length > 0).toBe(scene.objects.length >= 2);
    }
  });

  it('says the same thing in many ways', () => {
    const scene = drawScene(2, 'all', { minObjects: 3 });
    const captions = Array.from({ length: 500 }, (_, seed) => captionScene(scene, createRandom(seed)));
    expect(new Set(captions).size).toBeGreaterThan(300);
    expect(captions.some((caption) => caption.startsWith('there is a'))).toBe(true);
  });

  it('mentions the ground as it is', () => {
    for (let seed = 0; seed < 300; seed++) {
      const scene = drawScene(seed);
      const caption = captionScene(scene, createRandom(seed));
      expect(caption).not.toContain(scene.ground.kind === 'plain' ? 'noisy' : 'plain');
    }
  });

  it('uses the relation words for relations alone', () => {
    for (let seed = 0; seed < 300; seed++) {
      const caption = captionScene(drawScene(seed, 'all', { maxObjects: 1 }), createRandom(seed));
      expect(caption.split(' ').filter((word) => RELATION_WORDS.includes(word))).toEqual([]);
    }
  });

  it('starts with the pair it is asked about and relates it along the axis', () => {
    for (let seed = 0; seed < 300; seed++) {
      const scene = drawScene(seed, 'all', { minObjects: 2 });
      for (const about of disagreements(scene)) {
        const { colour, shape } = scene.objects[about.first];
        const caption = captionScene(scene, createRandom(seed), about);
        const words = about.axis === 'x' ? 'to the left of|left of|to the right of|right of' : 'above|over|below|under';
        expect(caption).toMatch(new RegExp(`^(there is )?a \\w+ ${colour} ${shape} (${words}) a`));
      }
    }
  });
});

describe('languageSentence', () => {
  it('is lower case with single spaces, and more than captions', () => {
    const sentences = Array.from({ length: 2000 }, (_, seed) => languageSentence(drawScene(seed), createRandom(seed)));
    for (const sentence of sentences) expect(sentence).toMatch(TOKENS);
    for (const kind of [
      /^there are three objects/,
      /^there is one object/,
      /^the \w+ is \w+$/,
      / object is a /,
      /\ban orange/,
    ]) {
      expect(sentences.some((sentence) => kind.test(sentence))).toBe(true);
    }
    const distinctWords = new Set(sentences.flatMap((sentence) => sentence.split(' ')));
    expect(distinctWords.size).toBeLessThan(70);
  });
});
