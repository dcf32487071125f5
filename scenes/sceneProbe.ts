import { z } from 'zod';
import type { CaptionAssessment, CaptionProbe, ProbedImages, StatedOption } from '#captions/metrics';
import { parseConfig } from '#src/config';
import { UserError } from '#src/errors';
import { readJson } from '#src/storage';
import { assignPhrases } from './assignPhrases.js';
import { parseCaption } from './parseCaption.js';
import {
  oppositeOf,
  ownSideAnswers,
  RELATION_OF_WORD,
  RELATION_WORDS,
  RELATIONS,
  type Relation,
  relationHolds,
} from './relations.js';
import type { Scene, SceneObject } from './scene.js';

/**
 * Checks captions of drawn scenes and the model's choice at their relations. In scenes of three objects
 * the second one is not named yet where a caption decides on its relation, so even the truth is ambiguous there.
 */
export const sceneProbe: CaptionProbe = {
  attributes: ['colour', 'shape', 'size', 'object', 'relation', 'relationAgree', 'relationDisagree', 'exactScene'],
  columns: [
    { attribute: 'object', label: 'object', note: 'share right', shortLabel: 'object' },
    { attribute: 'colour', label: 'colour', note: 'share right' },
    { attribute: 'shape', label: 'shape', note: 'share right' },
    { attribute: 'size', label: 'size', note: 'share right' },
    { attribute: 'relation', label: 'relation', note: 'share true', shortLabel: 'relation' },
    {
      attribute: 'relationDisagree',
      label: 'relation*',
      note: 'share true',
      footnote: '* where the first object’s own side of the image does not give the relation away.',
    },
    { attribute: 'exactScene', label: 'exact scene', note: 'share right', shortLabel: 'exact' },
  ],
  choice: {
    name: 'relation',
    withoutShortcutName: 'relationDisagree',
    words: RELATION_WORDS,
    options: Object.fromEntries(
      Object.keys(RELATIONS).map((relation) => [
        relation,
        Object.keys(RELATION_OF_WORD).filter((word) => RELATION_OF_WORD[word] === relation),
      ]),
    ),
    labels: ['stated relation likelier than its opposite', "where the first object's side does not tell"],
    report: {
      title: 'Relations by likelihood',
      text: 'Given a reference caption up to its relation, is the stated relation likelier than its opposite (chance 0.5)? The last column counts the captions whose first object’s own side of the image does not give the answer: a model that looks up that object alone gets 0 there.',
      columns: ['relation', 'by comparing'],
    },
  },
  open: (path, imageIds) => probeScenes(readScenes(path, imageIds)),
};

/** The probe of scenes in memory. */
export function probeScenes(scenes: readonly Scene[]): ProbedImages {
  return {
    assess: (caption, image) => assess(caption, scenes[image]),
    stated: (caption, image) => statedRelation(caption, scenes[image]),
  };
}

const SceneFile = z.looseObject({ scenes: z.array(z.looseObject({ id: z.int() })) });

function readScenes(path: string, imageIds: readonly number[]): Scene[] {
  const { scenes } = parseConfig(readJson(path, 'scene ground truth'), SceneFile, path);
  const byId = new Map(scenes.map((scene) => [scene.id, scene as unknown as Scene]));
  return imageIds.map((id) => {
    const scene = byId.get(id);
    if (scene === undefined) throw new UserError(`${path}: expected a scene with id ${id}, it has none`);
    return scene;
  });
}

/**
 * Phrases are matched to objects by the best assignment, then counted. A true caption of the generator has everything right;
 * a random relation between right objects is true half the time.
 *
 * - `colour`, `shape`, `size`, `object`: objects whose word is right (`object`: all three), of all objects
 * - `relation`: whether the relation of the first two phrases is true, in scenes of two objects or more; `relationAgree` and
 *   `relationDisagree`: where the first object's own side of the image answers it, and where it does not
 * - `exactScene`: every object right, none added, and a true relation if there are two objects or more
 */
function assess(caption: string, scene: Scene): CaptionAssessment {
  const { objects } = scene;
  const { phrases, relations } = parseCaption(caption);
  const phraseOf = assignPhrases(phrases, objects);
  const right = (key: 'colour' | 'shape' | 'size') =>
    objects.map((object, o) => phraseOf[o] !== undefined && phrases[phraseOf[o]][key] === object[key]);
  const [colour, shape, size] = [right('colour'), right('shape'), right('size')];
  const whole = objects.map((_, o) => colour[o] && shape[o] && size[o]);

  const [first, second] = [0, 1].map((phrase): SceneObject | undefined => objects[phraseOf.indexOf(phrase)]);
  const relationTrue =
    first !== undefined &&
    second !== undefined &&
    relations.length > 0 &&
    relations.every((relation) => relationHolds(relation, first, second));
  const hasRelation = objects.length >= 2;
  const axes = [...new Set(relations.map((relation) => RELATIONS[relation].axis))];
  const ownSide = first && second && axes.length === 1 ? ownSideAnswers(scene, first, second, axes[0]) : undefined;
  const relationWhere = (counts: boolean): [number, number] =>
    hasRelation && counts ? [Number(relationTrue), 1] : [0, 0];
  const exact =
    whole.every(Boolean) && phrases.length === objects.length && (hasRelation ? relationTrue : relations.length === 0);
  return {
    shares: {
      colour: [count(colour), objects.length],
      shape: [count(shape), objects.length],
      size: [count(size), objects.length],
      object: [count(whole), objects.length],
      relation: relationWhere(true),
      relationAgree: relationWhere(ownSide === true),
      relationDisagree: relationWhere(ownSide === false),
      exactScene: [Number(exact), 1],
    },
    counts: {
      images: 1,
      objects: objects.length,
      relations: relationWhere(true)[1],
      relationsAgree: relationWhere(ownSide === true)[1],
      relationsDisagree: relationWhere(ownSide === false)[1],
    },
    exact,
  };
}

/** The relation of the first two phrases of a caption, where it holds in the scene. */
function statedRelation(caption: string, scene: Scene): StatedOption | undefined {
  const { phrases, relations } = parseCaption(caption);
  if (relations.length === 0 || phrases.length < 2) return undefined;
  const phraseOf = assignPhrases(phrases, scene.objects);
  const [first, second] = [0, 1].map((phrase): SceneObject | undefined => scene.objects[phraseOf.indexOf(phrase)]);
  const [stated]: readonly Relation[] = relations;
  if (!first || !second || !relationHolds(stated, first, second)) return undefined;
  return {
    stated,
    opposite: oppositeOf(stated),
    shortcut: ownSideAnswers(scene, first, second, RELATIONS[stated].axis),
  };
}

function count(flags: readonly boolean[]): number {
  return flags.filter(Boolean).length;
}
