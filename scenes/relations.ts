/** @file Where one object lies relative to another: the words, when they are true, and when they are clear. */
import type { Axis, Disagreement, Scene, SceneObject } from './scene.js';

export type Relation = 'left' | 'right' | 'above' | 'below';

interface RelationMeaning {
  readonly axis: Axis;
  /** Sign of first minus second along the axis (y grows downwards). */
  readonly sign: 1 | -1;
  readonly phrases: readonly string[];
}

export const RELATIONS: Readonly<Record<Relation, RelationMeaning>> = {
  left: { axis: 'x', sign: -1, phrases: ['to the left of', 'left of'] },
  right: { axis: 'x', sign: 1, phrases: ['to the right of', 'right of'] },
  above: { axis: 'y', sign: -1, phrases: ['above', 'over'] },
  below: { axis: 'y', sign: 1, phrases: ['below', 'under'] },
};

/** The single words that state a relation, and which. */
export const RELATION_OF_WORD: Readonly<Record<string, Relation>> = {
  left: 'left',
  right: 'right',
  above: 'above',
  over: 'above',
  below: 'below',
  under: 'below',
};

/** The words at which a caption decides a relation; captions use them for nothing else. For per-token loss weights. */
export const RELATION_WORDS: readonly string[] = ['to', ...Object.keys(RELATION_OF_WORD)];

/** Captions state a relation only where the centres are at least this share of the image side apart on its axis. */
export const RELATION_MARGIN = 0.1;

/** In the disagree sets the first object's centre is at least this share of the image side off the middle. */
const SIDE_MARGIN = 1 / 24;

/** True when the first object's centre lies on the stated side of the second's, by however little. */
export function relationHolds(relation: Relation, first: SceneObject, second: SceneObject): boolean {
  const { axis, sign } = RELATIONS[relation];
  return (first[axis] - second[axis]) * sign > 0;
}

/** The other relation of the same axis. */
export function oppositeOf(relation: Relation): Relation {
  const { axis, sign } = RELATIONS[relation];
  return (Object.keys(RELATIONS) as Relation[]).find(
    (other) => RELATIONS[other].axis === axis && RELATIONS[other].sign === -sign,
  ) as Relation;
}

/** The relations of first to second that are clear enough to state: one or two, since objects do not overlap. */
export function clearRelations(scene: Scene, first: SceneObject, second: SceneObject): Relation[] {
  const margin = RELATION_MARGIN * scene.imageSize;
  return (Object.keys(RELATIONS) as Relation[]).filter((relation) => {
    const { axis, sign } = RELATIONS[relation];
    return (first[axis] - second[axis]) * sign >= margin;
  });
}

/**
 * True when the first object's own half of the image gives the right answer on an axis (in the left half and left of
 * the second, say), so that the second need not be looked at. That is so for about 86 % of random pairs and axes (92 %
 * of the clear ones): a high relation accuracy alone does not show that a model compares.
 */
export function ownSideAnswers(scene: Scene, first: SceneObject, second: SceneObject, axis: Axis): boolean {
  return (first[axis] - scene.imageSize / 2) * (first[axis] - second[axis]) > 0;
}

/** Every (first, second, axis) of a scene whose relation is clear and is not the first object's own, clear side. */
export function disagreements(scene: Scene): Disagreement[] {
  const found: Disagreement[] = [];
  scene.objects.forEach((a, first) => {
    scene.objects.forEach((b, second) => {
      if (first === second) return;
      for (const relation of clearRelations(scene, a, b)) {
        const { axis } = RELATIONS[relation];
        const offMiddle = Math.abs(a[axis] - scene.imageSize / 2) >= SIDE_MARGIN * scene.imageSize;
        if (offMiddle && !ownSideAnswers(scene, a, b, axis)) found.push({ first, second, axis });
      }
    });
  });
  return found;
}
