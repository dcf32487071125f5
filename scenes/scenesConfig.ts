import { z } from 'zod';
import { didYouMean } from '#src/errors';
import { COLOURS, COMBINATIONS, DEFAULT_HELD_OUT, SHAPES } from './attributes.js';

const COMBINATION_NAMES = COMBINATIONS.map((combination) => combination.name);

const count = (byDefault: number) => z.int().min(0).max(10_000_000).default(byDefault);

const counts = z.strictObject({
  visionTrain: count(8000),
  visionVal: count(500),
  languageTrain: count(40_000),
  languageVal: count(1000),
  pairsTrain: count(8000),
  pairsVal: count(500),
  testSeen: count(500),
  testHeldOut: count(500),
  testDisagreeSeen: count(300),
  testDisagreeHeldOut: count(300),
});

/**
 * Settings of the scene generator; everything has a default.
 *
 * `imageSize` and `patchSize` are in pixels (the label grid has imageSize / patchSize cells each way), `texturedShare`
 * is the share of scenes on a noisy ground, `heldOut` lists 'colour shape' names, `counts` are images (sentences for
 * `language*`).
 */
export const ScenesConfig = z
  .strictObject({
    seed: z.int().default(0),
    imageSize: z.int().min(24).max(512).default(48),
    patchSize: z.int().min(2).default(12),
    minObjects: z.int().min(1).max(3).default(1),
    maxObjects: z.int().min(1).max(3).default(3),
    captionsPerImage: z.int().min(1).max(20).default(4),
    texturedShare: z.number().min(0).max(1).default(0.5),
    heldOut: z
      .array(
        z.string().refine((name) => COMBINATION_NAMES.includes(name), {
          error: ({ input }) =>
            `expected '<colour> <shape>' of colours ${COLOURS.join(', ')} and shapes ${SHAPES.join(', ')}, ` +
            `got '${input}'${didYouMean(String(input), COMBINATION_NAMES)}`,
        }),
      )
      .default([...DEFAULT_HELD_OUT]),
    counts: counts.prefault({}),
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
