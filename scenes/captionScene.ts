/** @file The caption grammar. Lower case, single spaces, a comma is a token of its own. */
import type { Random } from '#src/random';
import type { Size } from './attributes.js';
import { clearRelations, RELATIONS } from './relations.js';
import type { Disagreement, Ground, Scene, SceneObject } from './scene.js';

/** Words for each size. */
export const SIZE_WORDS: Readonly<Record<Size, readonly string[]>> = {
  small: ['small', 'little'],
  large: ['large', 'big'],
};

const GROUND_PHRASES: Readonly<Record<Ground['kind'], readonly string[]>> = {
  plain: ['on a plain background', 'on a plain ground'],
  noisy: ['on a noisy background', 'on a noisy ground'],
};
const JOINS = ['and', 'and also', 'with', ', and', ', with'];
const OPENING_SHARE = 0.3;
const GROUND_SHARE = 0.25;

/**
 * One true caption of a scene, drawn from all that the grammar allows:
 *
 *     caption = ['there is'] object [relation object {join object}] [ground]
 *     object  = 'a' size colour shape
 *
 * The order of the objects is random; the relation is one that is clear in the image.
 *
 * @param about name this pair first and relate it along this axis (it must be clear there)
 */
export function captionScene(scene: Scene, random: Random, about?: Disagreement): string {
  const order = objectOrder(scene, random, about);
  const words: string[] = random.uniform() < OPENING_SHARE ? ['there is'] : [];
  order.forEach((object, i) => {
    if (i === 1) {
      const clear = clearRelations(scene, order[0], object).filter(
        (relation) => about === undefined || RELATIONS[relation].axis === about.axis,
      );
      words.push(random.choice(RELATIONS[random.choice(clear)].phrases));
    } else if (i > 1) words.push(random.choice(JOINS));
    words.push(describeObject(object, random.choice(SIZE_WORDS[object.size])));
  });
  if (random.uniform() < GROUND_SHARE) words.push(random.choice(GROUND_PHRASES[scene.ground.kind]));
  return words.join(' ');
}

/** The noun phrase of an object, such as 'a small red circle': what a caption that names it first starts with. */
function describeObject(object: SceneObject, sizeWord: string = object.size): string {
  return `a ${sizeWord} ${object.colour} ${object.shape}`;
}

function objectOrder(scene: Scene, random: Random, about: Disagreement | undefined): SceneObject[] {
  if (about === undefined) return random.shuffled(scene.objects);
  const others = scene.objects.filter((_, i) => i !== about.first && i !== about.second);
  return [scene.objects[about.first], scene.objects[about.second], ...random.shuffled(others)];
}
