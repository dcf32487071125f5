import { type BootstrapInterval, bootstrapInterval } from '#captions/metrics';
import { languageLogits, type Tokenizer } from '#language';
import {
  assignPhrases,
  ownSideAnswers,
  parseCaption,
  RELATION_OF_WORD,
  RELATION_WORDS,
  RELATIONS,
  type Relation,
  relationHolds,
  type Scene,
  type SceneObject,
} from '#scenes';
import { tf } from '#src/engine';
import type { CaptionPairs } from './captionPairs.js';
import { captionHidden } from './captionPass.js';
import { imageContexts } from './imageContexts.js';
import type { JointModel } from './jointModel.js';
import { createTokenWeights } from './tokenWeights.js';

/** A caption at the place where it decides on a relation. */
interface Decision {
  /** Position of its image in `pairs`. */
  readonly image: number;
  /** Label that is the relation's first token, counted from 0. */
  readonly place: number;
  readonly stated: Relation;
  readonly ownSideAnswers: boolean;
}

/** Which way a model, led by a caption up to its relation, would go along the axis of that relation. */
export interface RelationChoice {
  /** Position of the caption's image. */
  readonly image: number;
  /** 1 where the relation that the caption states is likelier than its opposite, 0 where the opposite is; a tie counts half. */
  readonly right: number;
  /** Whether the first object's own side of the image gives it away (`ownSideAnswers`). */
  readonly ownSideAnswers: boolean;
}

/**
 * Teacher-forced choice between the two relations of an axis, at the first relation word of every caption: each weighs as
 * the sum over its words ('to', which opens left and right alike, has no say). Chance is 0.5. It moves long before greedy
 * captions do, the caption NLL hides it among all the other words, and unlike a greedy caption it cannot pick the pair and
 * the axis that are easy. In scenes of three objects the second one is not named yet, so that not even the truth is certain.
 */
export interface RelationProbe {
  choose(batchSize: number): Promise<RelationChoice[]>;
}

/** Shares of choices that are right; null where there are none. */
export function relationShares(choices: readonly RelationChoice[]): { all: number | null; disagree: number | null } {
  const share = (of: readonly RelationChoice[]): number | null =>
    of.length === 0 ? null : of.reduce((sum, { right }) => sum + right, 0) / of.length;
  return { all: share(choices), disagree: share(choices.filter((choice) => !choice.ownSideAnswers)) };
}

/** The shares as means over images, with 95 % intervals: the captions of an image are not independent. */
export function relationIntervals(
  choices: readonly RelationChoice[],
  seed: number,
): { readonly all: BootstrapInterval; readonly disagree: BootstrapInterval | null } | null {
  const interval = (of: readonly RelationChoice[]): BootstrapInterval | null => {
    if (of.length === 0) return null;
    const byImage = new Map<number, number[]>();
    for (const { image, right } of of) byImage.set(image, [...(byImage.get(image) ?? []), right]);
    const means = [...byImage.values()].map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
    return bootstrapInterval(means, seed);
  };
  const all = interval(choices);
  return all && { all, disagree: interval(choices.filter(({ ownSideAnswers }) => !ownSideAnswers)) };
}

/**
 * @param statesOf vision states of images by position, as `imageStates` gives them
 * @param scenes ground truth, in the order of `pairs.images`
 * @returns or why there is none: no caption states a relation, or the tokenizer begins different relations with one token
 */
export function createRelationProbe(
  model: JointModel,
  pairs: CaptionPairs,
  statesOf: (positions: Int32Array) => tf.Tensor4D,
  scenes: readonly Scene[],
): RelationProbe | { readonly lacking: string } {
  const { tokenizer } = model;
  const decisions = pairs.captions.flatMap((captions, image) =>
    captions.map((caption) => decisionOf(caption, image, scenes[image], tokenizer)),
  );
  if (!decisions.some((decision) => decision !== undefined)) return { lacking: 'no caption states a relation' };
  const words = Object.entries(RELATION_OF_WORD).map(([word, relation]) => ({
    relation,
    id: tokenizer.encode(`a ${word}`)[tokenizer.encode('a').length],
  }));
  const relationOfId = new Map(words.map(({ id, relation }) => [id, relation]));
  if (words.some(({ id, relation }) => relationOfId.get(id) !== relation))
    return { lacking: 'the tokenizer begins different relation words with one token' };
  const ids = words.map(({ id }) => id);

  return {
    choose: async (batchSize) => {
      const choices: RelationChoice[] = [];
      let before = 0;
      for (const { images, text } of pairs.batches(batchSize)) {
        const here = decisions.slice(before, before + text.batch);
        before += text.batch;
        const rows = here.flatMap((decision, b) => (decision ? [b * text.seqLen + decision.place] : []));
        if (rows.length === 0) continue;
        const chosen = tf.tidy(() => {
          const contexts = imageContexts(model, statesOf(images), { bridge: true });
          const tokenIds = tf.tensor2d(text.tokenIds, [text.batch, text.seqLen], 'int32');
          const { hidden } = captionHidden(model, tokenIds, { bridge: true, contexts, lengths: text.lengths });
          const logits = languageLogits(model.tree, tf.gather(hidden, tf.tensor1d(rows, 'int32')) as tf.Tensor2D);
          return tf.gather(logits, tf.tensor1d(ids, 'int32'), 1); // [rows, words]
        });
        const scores = await chosen.data();
        chosen.dispose();
        for (const [r, decision] of here.filter((one) => one !== undefined).entries()) {
          const own = scores.subarray(r * words.length, (r + 1) * words.length);
          const highest = Math.max(...own);
          const score = (wanted: Relation): number =>
            words.reduce((sum, { relation }, w) => sum + (relation === wanted ? Math.exp(own[w] - highest) : 0), 0);
          const { image, stated, ownSideAnswers: answers } = decision;
          const [ofStated, opposite] = [score(stated), score(oppositeOf(stated))];
          const right = ofStated === opposite ? 0.5 : Number(ofStated > opposite);
          choices.push({ image, right, ownSideAnswers: answers });
        }
      }
      return choices;
    },
  };
}

function oppositeOf(relation: Relation): Relation {
  const { axis, sign } = RELATIONS[relation];
  return (Object.keys(RELATIONS) as Relation[]).find(
    (other) => RELATIONS[other].axis === axis && RELATIONS[other].sign === -sign,
  ) as Relation;
}

const RELATION_RULE = createTokenWeights([{ words: [...RELATION_WORDS], schedule: [{ fromStep: 0, weight: 1 }] }]);

/** Where a caption decides on a relation, and on which; undefined where it states none of its scene's. */
function decisionOf(caption: string, image: number, scene: Scene, tokenizer: Tokenizer): Decision | undefined {
  const { phrases, relations } = parseCaption(caption);
  if (relations.length === 0 || phrases.length < 2) return undefined;
  const phraseOf = assignPhrases(phrases, scene.objects);
  const named = (phrase: number): SceneObject | undefined => scene.objects[phraseOf.indexOf(phrase)];
  const [first, second] = [named(0), named(1)];
  const place = RELATION_RULE.tokenize(caption, tokenizer).rules.indexOf(1);
  const [stated] = relations;
  if (!first || !second || place < 0 || !relationHolds(stated, first, second)) return undefined;
  return { image, place, stated, ownSideAnswers: ownSideAnswers(scene, first, second, RELATIONS[stated].axis) };
}
