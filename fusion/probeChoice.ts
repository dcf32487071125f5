import {
  type BootstrapInterval,
  bootstrapInterval,
  type CaptionProbe,
  type ChoiceDescription,
  type ProbedImages,
  type StatedOption,
} from '#captions/metrics';
import { languageLogits } from '#language';
import { tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import type { CaptionPairs } from './captionPairs.js';
import { captionHidden } from './captionPass.js';
import { imageContexts } from './imageContexts.js';
import type { JointModel } from './jointModel.js';
import { createTokenWeights } from './tokenWeights.js';

/**
 * The ground truth that a key of an experiment names.
 *
 * @throws ConfigError when there is no probe to read it with
 */
export function openProbe(
  probe: CaptionProbe | undefined,
  path: string,
  imageIds: readonly number[],
): { readonly probe: CaptionProbe; readonly images: ProbedImages } {
  if (probe === undefined) {
    throw new ConfigError(`scenes: expected a probe that reads ${path}, got none; pass the option 'probe'`);
  }
  return { probe, images: probe.open(path, imageIds) };
}

/** Which way a model goes at the place where a caption decides between an option and its opposite. */
export interface MadeChoice {
  /** Position of the caption's image. */
  readonly image: number;
  /** 1 where the option that the caption states is likelier than its opposite, 0 where the opposite is; 0.5 for a tie. */
  readonly right: number;
  /** Whether a shortcut gives the answer too (`StatedOption`). */
  readonly shortcut: boolean;
}

/**
 * Teacher-forced choice between two options at the word of a caption that decides; an option's weight is the sum over
 * its words. Chance is 0.5. It rises long before greedy captions improve, the caption NLL hides it among all other words, and
 * unlike a greedy caption it cannot pick the cases that are easy.
 */
export interface ChoiceProbe {
  /** @param statesOf vision states of images by position, as `imageStates` gives them */
  choose(statesOf: (positions: Int32Array) => tf.Tensor4D, batchSize: number): Promise<MadeChoice[]>;
}

/** Shares of choices that are right; null where there are none. */
export function choiceShares(choices: readonly MadeChoice[]): { all: number | null; withoutShortcut: number | null } {
  const share = (of: readonly MadeChoice[]): number | null =>
    of.length === 0 ? null : of.reduce((sum, { right }) => sum + right, 0) / of.length;
  return { all: share(choices), withoutShortcut: share(choices.filter(({ shortcut }) => !shortcut)) };
}

/**
 * The shares as means over images, with 95 % intervals over images, since the captions of an image are not independent. `disagree`: the choices
 * that no shortcut answers.
 */
export function choiceIntervals(
  choices: readonly MadeChoice[],
  seed: number,
): { readonly all: BootstrapInterval; readonly disagree: BootstrapInterval | null } | null {
  const interval = (of: readonly MadeChoice[]): BootstrapInterval | null => {
    if (of.length === 0) return null;
    const byImage = new Map<number, number[]>();
    for (const { image, right } of of) byImage.set(image, [...(byImage.get(image) ?? []), right]);
    const means = [...byImage.values()].map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
    return bootstrapInterval(means, seed);
  };
  const all = interval(choices);
  return all && { all, disagree: interval(choices.filter(({ shortcut }) => !shortcut)) };
}

/** A caption at the place where it decides. */
interface Decision extends StatedOption {
  readonly image: number;
  /** Label that is the first token of the deciding word, counted from 0. */
  readonly place: number;
}

/**
 * @param images ground truth, in the order of `pairs.images`
 * @returns or why there is none: no caption states an option, or the tokenizer begins different options with one token
 */
export function createChoiceProbe(
  model: JointModel,
  pairs: CaptionPairs,
  { name, words: decidingWords, options }: ChoiceDescription,
  images: ProbedImages,
): ChoiceProbe | { readonly lacking: string } {
  const { tokenizer } = model;
  const deciding = createTokenWeights([{ words: [...decidingWords], schedule: [{ fromStep: 0, weight: 1 }] }]);
  const decisions = pairs.captions.flatMap((captions, image) =>
    captions.map((caption): Decision | undefined => {
      const stated = images.stated(caption, image);
      const place = stated ? deciding.tokenize(caption, tokenizer).rules.indexOf(1) : -1;
      return stated && place >= 0 ? { ...stated, image, place } : undefined;
    }),
  );
  if (!decisions.some((decision) => decision !== undefined)) return { lacking: `no caption states a ${name}` };
  const words = Object.entries(options).flatMap(([option, own]) =>
    own.map((word) => ({ option, id: tokenizer.encode(`a ${word}`)[tokenizer.encode('a').length] })),
  );
  const optionOfId = new Map(words.map(({ id, option }) => [id, option]));
  if (words.some(({ id, option }) => optionOfId.get(id) !== option))
    return { lacking: `the tokenizer begins different ${name} words with one token` };
  const ids = words.map(({ id }) => id);

  return {
    choose: async (statesOf, batchSize) => {
      const choices: MadeChoice[] = [];
      let before = 0;
      for (const { images: positions, text } of pairs.batches(batchSize)) {
        const here = decisions.slice(before, before + text.batch);
        before += text.batch;
        const rows = here.flatMap((decision, b) => (decision ? [b * text.seqLen + decision.place] : []));
        if (rows.length === 0) continue;
        const chosen = tf.tidy(() => {
          const contexts = imageContexts(model, statesOf(positions), { bridge: true });
          const tokenIds = tf.tensor2d(text.tokenIds, [text.batch, text.seqLen], 'int32');
          const { hidden } = captionHidden(model, tokenIds, { bridge: true, contexts, lengths: text.lengths });
          const logits = languageLogits(model.tree, tf.gather(hidden, tf.tensor1d(rows, 'int32')) as tf.Tensor2D);
          return tf.gather(logits, tf.tensor1d(ids, 'int32'), 1); // [rows, words]
        });
        const scores = await chosen.data();
        chosen.dispose();
        for (const [r, { image, stated, opposite, shortcut }] of here.filter((one) => one !== undefined).entries()) {
          const own = scores.subarray(r * words.length, (r + 1) * words.length);
          const highest = Math.max(...own);
          const score = (wanted: string): number =>
            words.reduce((sum, { option }, w) => sum + (option === wanted ? Math.exp(own[w] - highest) : 0), 0);
          const [ofStated, ofOpposite] = [score(stated), score(opposite)];
          const right = ofStated === ofOpposite ? 0.5 : Number(ofStated > ofOpposite);
          choices.push({ image, right, shortcut });
        }
      }
      return choices;
    },
  };
}
