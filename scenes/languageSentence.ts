import type { Random } from '#src/random';
import { captionScene, SIZE_WORDS } from './captionScene.js';
import type { Scene, SceneObject } from './scene.js';

const CAPTION_SHARE = 0.75;
const NUMBERS = ['no', 'one', 'two', 'three'];

/**
 * A sentence about an imagined scene, for a language corpus: mostly captions, the rest plain statements on existence,
 * colour, size, shape and number. Same spelling rules as captions.
 */
export function languageSentence(scene: Scene, random: Random): string {
  if (random.uniform() < CAPTION_SHARE) return captionScene(scene, random);
  return random.choice(STATEMENTS)(scene, random);
}

type Statement = (scene: Scene, random: Random) => string;

const STATEMENTS: readonly Statement[] = [
  (scene, random) =>
    `${random.choice(['there is', 'i see', 'this is', 'the picture shows'])} ${someObject(scene, random)}`,
  (scene, random) => {
    const object = random.choice(scene.objects);
    return random.choice([
      `the ${object.shape} is ${object.colour}`,
      `the ${sizeWord(object, random)} ${object.shape} is ${object.colour}`,
      `the colour of the ${object.shape} is ${object.colour}`,
    ]);
  },
  (scene, random) => {
    const object = random.choice(scene.objects);
    return `the ${object.colour} ${object.shape} is ${sizeWord(object, random)}`;
  },
  (scene, random) => {
    const object = random.choice(scene.objects);
    return `the ${sizeWord(object, random)} ${object.colour} object is a ${object.shape}`;
  },
  (scene, random) => {
    const number = scene.objects.length;
    const opening = number === 1 ? 'there is one object' : `there are ${NUMBERS[number]} objects`;
    if (random.uniform() < 0.5) return opening;
    const list = scene.objects.map((object) => looseObject(object, random));
    const last = list.pop();
    return `${opening} , ${list.length === 0 ? last : `${list.join(' , ')} and ${last}`}`;
  },
  (scene) => `the background is ${scene.ground.kind}`,
];

function someObject(scene: Scene, random: Random): string {
  return looseObject(random.choice(scene.objects), random);
}

/** A noun phrase with or without its size. */
function looseObject(object: SceneObject, random: Random): string {
  if (random.uniform() < 0.5) return `a ${sizeWord(object, random)} ${object.colour} ${object.shape}`;
  return `${/^[aeiou]/.test(object.colour) ? 'an' : 'a'} ${object.colour} ${object.shape}`;
}

function sizeWord(object: SceneObject, random: Random): string {
  return random.choice(SIZE_WORDS[object.size]);
}
