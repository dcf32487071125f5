import { assignPhrases } from './assignPhrases.js';
import { parseCaption } from './parseCaption.js';
import { ownSideAnswers, RELATIONS, relationHolds } from './relations.js';
import type { Scene, SceneObject } from './scene.js';

/** How one caption fits its scene. */
export interface ImageAccuracy {
  /** Objects of the scene whose colour, shape, size, or all three the caption has right. */
  readonly colour: number;
  readonly shape: number;
  readonly size: number;
  readonly object: number;
  readonly numObjects: number;
  /** Whether the relation between the first two phrases is true; null in scenes of one object. */
  readonly relation: boolean | null;
  /** Whether the first object's own side of the image gives the relation away; null where no single pair and axis is stated. */
  readonly ownSideAnswers: boolean | null;
  readonly exactScene: boolean;
}

/** Shares in [0, 1], null where there is nothing to count. */
export interface SceneAccuracy {
  /** Share of all objects whose colour word is right; likewise `shape`, `size`. */
  readonly colour: number | null;
  readonly shape: number | null;
  readonly size: number | null;
  /** Share of all objects with colour, shape and size right. */
  readonly object: number | null;
  /** Share of scenes with at least two objects whose caption states a true relation of its first two phrases. */
  readonly relation: number | null;
  /** `relation` among captions whose first object's own side of the image answers it, and among those where it does not. */
  readonly relationAgree: number | null;
  readonly relationDisagree: number | null;
  /** Share of scenes with every object right, none added, and a true relation if there are two objects or more. */
  readonly exactScene: number | null;
  readonly counts: {
    readonly images: number;
    readonly objects: number;
    readonly relations: number;
    readonly relationsAgree: number;
    readonly relationsDisagree: number;
  };
  readonly perImage: readonly ImageAccuracy[];
}

/**
 * Scores captions against the scenes they are for: phrases are matched to objects by the best assignment, then counted.
 * A true caption of the generator scores 1 everywhere; a random relation between right objects scores 0.5.
 *
 * @param predictions one caption per scene, in the order of `scenes`
 * @throws RangeError when the two lengths differ
 */
export function sceneAccuracy(predictions: readonly string[], scenes: readonly Scene[]): SceneAccuracy {
  if (predictions.length !== scenes.length) {
    throw new RangeError(
      `sceneAccuracy: expected one prediction per scene, got ${predictions.length} for ${scenes.length} scenes`,
    );
  }
  const perImage = scenes.map((scene, i) => imageAccuracy(predictions[i], scene));
  const sum = (key: 'colour' | 'shape' | 'size' | 'object' | 'numObjects') =>
    perImage.reduce((total, image) => total + image[key], 0);
  const objects = sum('numObjects');
  const related = perImage.filter((image) => image.relation !== null);
  const agree = related.filter((image) => image.ownSideAnswers === true);
  const disagree = related.filter((image) => image.ownSideAnswers === false);
  const relationShare = (images: readonly ImageAccuracy[]) =>
    share(images.filter((image) => image.relation === true).length, images.length);
  return {
    colour: share(sum('colour'), objects),
    shape: share(sum('shape'), objects),
    size: share(sum('size'), objects),
    object: share(sum('object'), objects),
    relation: relationShare(related),
    relationAgree: relationShare(agree),
    relationDisagree: relationShare(disagree),
    exactScene: share(perImage.filter((image) => image.exactScene).length, perImage.length),
    counts: {
      images: perImage.length,
      objects,
      relations: related.length,
      relationsAgree: agree.length,
      relationsDisagree: disagree.length,
    },
    perImage,
  };
}

function imageAccuracy(caption: string, scene: Scene): ImageAccuracy {
  const { objects } = scene;
  const { phrases, relations } = parseCaption(caption);
  const phraseOf = assignPhrases(phrases, objects);
  const right = (key: 'colour' | 'shape' | 'size') =>
    objects.map((object, o) => phraseOf[o] !== undefined && phrases[phraseOf[o]][key] === object[key]);
  const colour = right('colour');
  const shape = right('shape');
  const size = right('size');
  const whole = objects.map((_, o) => colour[o] && shape[o] && size[o]);

  const objectOfPhrase = (p: number): SceneObject | undefined => objects.find((_, o) => phraseOf[o] === p);
  const first = objectOfPhrase(0);
  const second = objectOfPhrase(1);
  const relationTrue =
    first !== undefined &&
    second !== undefined &&
    relations.length > 0 &&
    relations.every((relation) => relationHolds(relation, first, second));
  const axes = [...new Set(relations.map((relation) => RELATIONS[relation].axis))];
  const relationRight = objects.length >= 2 ? relationTrue : relations.length === 0;
  return {
    colour: count(colour),
    shape: count(shape),
    size: count(size),
    object: count(whole),
    numObjects: objects.length,
    relation: objects.length >= 2 ? relationTrue : null,
    ownSideAnswers: first && second && axes.length === 1 ? ownSideAnswers(scene, first, second, axes[0]) : null,
    exactScene: whole.every(Boolean) && phrases.length === objects.length && relationRight,
  };
}

function count(flags: readonly boolean[]): number {
  return flags.filter(Boolean).length;
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
