import { z } from 'zod';
import { didYouMean } from '#src/errors';
import { COLOURS, COMBINATIONS, DEFAULT_HELD_OUT, SHAPES } from './attributes.js';

const COMBINATION_NAMES = COMBINATIONS.map((combination) => combination.name);

const count = (byDefault: number, meaning: string) =>
  z.int().min(0).max(10_000_000).default(byDefault).describe(meaning);

const counts = z.strictObject({
  visionTrain: count(8000, 'labelled images for vision pretraining (vision/train)'),
  visionVal: count(500, 'the same for validation (vision/val)'),
  languageTrain: count(40_000, 'sentences for language pretraining, of no image (language/train.txt)'),
  languageVal: count(1000, 'the same for validation (language/val.txt)'),
  pairsTrain: count(8000, 'images with captions for alignment (pairs/train)'),
  pairsVal: count(500, 'the same for validation (pairs/val)'),
  testSeen: count(500, 'test images without held-out combinations (test_seen)'),
  testHeldOut: count(500, 'test images with a held-out combination (test_heldout)'),
  testDisagreeSeen: count(
    300,
    "test images of two objects whose relation the first one's position does not give away (test_disagree_seen)",
  ),
  testDisagreeHeldOut: count(300, 'the same with a held-out combination (test_disagree_heldout)'),
});

/** Settings of the scene generator; everything has a default. */
export const ScenesConfig = z
  .strictObject({
    seed: z.int().default(0).describe('draws the scenes; the same seed gives the same bytes'),
    imageSize: z.int().min(24).max(512).default(48).describe('height and width in pixels'),
    patchSize: z
      .int()
      .min(2)
      .default(12)
      .describe('height and width of a cell of the label grid in pixels; divides imageSize'),
    minObjects: z.int().min(1).max(3).default(1).describe('fewest objects of a scene'),
    maxObjects: z.int().min(1).max(3).default(3).describe('most objects of a scene'),
    captionsPerImage: z.int().min(1).max(20).default(4).describe('captions of each image'),
    texturedShare: z.number().min(0).max(1).default(0.5).describe('share of the scenes on a noisy background'),
    heldOut: z
      .array(
        z.string().refine((name) => COMBINATION_NAMES.includes(name), {
          error: ({ input }) =>
            `expected '<colour> <shape>' of colours ${COLOURS.join(', ')} and shapes ${SHAPES.join(', ')}, ` +
            `got '${input}'${didYouMean(String(input), COMBINATION_NAMES)}`,
        }),
      )
      .default([...DEFAULT_HELD_OUT])
      .describe("combinations, as 'colour shape', that no caption of a training pair has"),
    counts: counts.prefault({}).describe('how many images or sentences of each part'),
  })
  .superRefine((config, context) => {
    const problem = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (config.imageSize % config.patchSize !== 0) {
      problem(['patchSize'], `expected a divisor of imageSize ${config.imageSize}, got ${config.patchSize}`);
    }
    if (config.minObjects > config.maxObjects) {
      problem(['minObjects'], `expected at most maxObjects ${config.maxObjects}, got ${config.minObjects}`);
    }
    const seen = COMBINATIONS.filter(({ name }) => !config.heldOut.includes(name));
    const unseen = [
      ...COLOURS.filter((colour) => !seen.some((combination) => combination.colour === colour)),
      ...SHAPES.filter((shape) => !seen.some((combination) => combination.shape === shape)),
    ];
    if (unseen.length > 0) {
      problem(
        ['heldOut'],
        `expected every colour and shape in some seen combination, ${unseen.join(', ')} has none left`,
      );
    }
    if (config.heldOut.length === 0 && config.counts.testHeldOut + config.counts.testDisagreeHeldOut > 0) {
      problem(['heldOut'], 'expected a combination, got none; or set counts.testHeldOut and testDisagreeHeldOut to 0');
    }
  });

export type ScenesConfig = z.output<typeof ScenesConfig>;
