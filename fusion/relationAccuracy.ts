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
} from '#fusion/scenes';
import { languageLogits, type Tokenizer } from '#language';
import { tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import type { CaptionPairs } from './captionPairs.js';
import { captionHidden, type JointModel, readImages } from './jointModel.js';
import { createTokenWeights } from './tokenWeights.js';

/** A caption at the place where it decides on a relation. */
interface Decision {
  /** Label that is the relation's first token, counted from 0. */
  readonly place: number;
  readonly scene: Scene;
  readonly first: SceneObject;
  readonly second: SceneObject;
}

/** How often a model, led by the caption up to there, thinks a relation likeliest that is true in the scene. */
export interface RelationAccuracy {
  readonly all: number;
  /** Among the relations chosen that the first object's own side of the image does not answer; null where there are none. */
  readonly disagree: number | null;
}

/**
 * Teacher-forced relation accuracy: at the first relation word of every caption, the likeliest of left, right, above and
 * below, each the sum over its words ('to', which opens left and right alike, has no say). Chance is 0.5. It moves long
 * before greedy captions do, and the caption NLL hides it among all the other words.
 */
export interface RelationProbe {
  measure(batchSize: number): Promise<RelationAccuracy>;
}

/**
 * @param statesOf vision states of images by position, as `imageStates` gives them
 * @param scenes ground truth, in the order of `pairs.images`
 * @throws ConfigError when no caption states a relation, or the tokenizer begins different relations with one token
 */
export function createRelationProbe(
  model: JointModel,
  pairs: CaptionPairs,
  statesOf: (positions: Int32Array) => tf.Tensor4D,
  scenes: readonly Scene[],
): RelationProbe {
  const { tokenizer } = model;
  const decisions = pairs.captions.flatMap((captions, image) =>
    captions.map((caption) => decisionOf(caption, scenes[image], tokenizer)),
  );
  if (!decisions.some((decision) => decision !== undefined))
    throw new ConfigError('data.validation.scenes: no validation caption states a relation; leave it out');
  const words = Object.entries(RELATION_OF_WORD).map(([word, relation]) => ({
    relation,
    id: tokenizer.encode(`a ${word}`)[tokenizer.encode('a').length],
  }));
  const relationOfId = new Map(words.map(({ id, relation }) => [id, relation]));
  if (words.some(({ id, relation }) => relationOfId.get(id) !== relation))
    throw new ConfigError('data.validation.scenes: the tokenizer begins different relation words with one token');
  const ids = words.map(({ id }) => id);
  const relations = Object.keys(RELATIONS) as Relation[];

  return {
    measure: async (batchSize) => {
      const counts = { all: 0, right: 0, disagree: 0, disagreeRight: 0 };
      let before = 0;
      for (const { images, text } of pairs.batches(batchSize)) {
        const here = decisions.slice(before, before + text.batch);
        before += text.batch;
        const rows = here.flatMap((decision, b) => (decision ? [b * text.seqLen + decision.place] : []));
        if (rows.length === 0) continue;
        const chosen = tf.tidy(() => {
          const contexts = readImages(model, statesOf(images), { bridge: true });
          const tokenIds = tf.tensor2d(text.tokenIds, [text.batch, text.seqLen], 'int32');
          const { hidden } = captionHidden(model, tokenIds, { bridge: true, contexts });
          const logits = languageLogits(model.tree, tf.gather(hidden, tf.tensor1d(rows, 'int32')) as tf.Tensor2D);
          return tf.gather(logits, tf.tensor1d(ids, 'int32'), 1); // [rows, words]
        });
        const scores = await chosen.data();
        chosen.dispose();
        for (const [r, { scene, first, second }] of here.filter((decision) => decision !== undefined).entries()) {
          const own = scores.subarray(r * words.length, (r + 1) * words.length);
          const highest = Math.max(...own);
          const score = (wanted: Relation): number =>
            words.reduce((sum, { relation }, w) => sum + (relation === wanted ? Math.exp(own[w] - highest) : 0), 0);
          const best = relations.reduce((a, b) => (score(b) > score(a) ? b : a));
          const right = relationHolds(best, first, second) ? 1 : 0;
          counts.all++;
          counts.right += right;
          if (ownSideAnswers(scene, first, second, RELATIONS[best].axis)) continue;
          counts.disagree++;
          counts.disagreeRight += right;
        }
      }
      return {
        all: counts.right / counts.all,
        disagree: counts.disagree === 0 ? null : counts.disagreeRight / counts.disagree,
      };
    },
  };
}

const RELATION_RULE = createTokenWeights([{ words: [...RELATION_WORDS], schedule: [{ fromStep: 0, weight: 1 }] }]);

/** Where a caption decides on a relation, and between which objects; undefined where it states none of its scene's. */
function decisionOf(caption: string, scene: Scene, tokenizer: Tokenizer): Decision | undefined {
  const { phrases, relations } = parseCaption(caption);
  if (relations.length === 0 || phrases.length < 2) return undefined;
  const phraseOf = assignPhrases(phrases, scene.objects);
  const named = (phrase: number): SceneObject | undefined => scene.objects[phraseOf.indexOf(phrase)];
  const [first, second] = [named(0), named(1)];
  const place = RELATION_RULE.tokenize(caption, tokenizer).rules.indexOf(1);
  return first && second && place >= 0 ? { place, scene, first, second } : undefined;
}
