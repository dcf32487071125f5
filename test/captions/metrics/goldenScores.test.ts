import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type CaptionScores, scoreCaptions } from '#captions/metrics';

const ownGoldens = fileURLToPath(new URL('../../fixtures/captioning/goldenCaptionMetrics.json', import.meta.url));
const shared = process.env.TOKENFUSE_SHARED ?? fileURLToPath(new URL('../../../../shared', import.meta.url));
const sharedGoldens = `${shared}/fixtures/captioning/golden_caption_metrics.json`;

const goldenCase = z.object({
  input: z.record(z.string(), z.object({ hyp: z.string(), refs: z.array(z.string()) })),
  documentFrequencies: z.object({ numImages: z.number(), counts: z.record(z.string(), z.number()) }).optional(),
  Bleu: z.array(z.number()).length(4),
  Bleu_per_image: z.array(z.array(z.number())).length(4),
  ROUGE_L: z.number(),
  ROUGE_L_per_image: z.array(z.number()),
  CIDEr: z.number(),
  CIDEr_per_image: z.array(z.number()),
});
type GoldenCase = z.infer<typeof goldenCase>;

function readGoldens(path: string): Record<string, GoldenCase> {
  return z.record(z.string(), goldenCase).parse(JSON.parse(readFileSync(path, 'utf8')));
}

function score({ input, documentFrequencies }: GoldenCase): CaptionScores {
  const entries = Object.entries(input).map(([id, entry]) => [Number(id), entry] as const);
  return scoreCaptions(
    new Map(entries.map(([id, { hyp }]) => [id, hyp])),
    new Map(entries.map(([id, { refs }]) => [id, refs])),
    {
      pretokenized: true,
      ...(documentFrequencies && {
        documentFrequencies: { ...documentFrequencies, counts: new Map(Object.entries(documentFrequencies.counts)) },
      }),
    },
  );
}

function worstError(golden: GoldenCase): number {
  const scores = score(golden);
  const errors = [
    ...(['bleu1', 'bleu2', 'bleu3', 'bleu4'] as const).flatMap((name, n) => [
      scores[name] - golden.Bleu[n],
      ...golden.Bleu_per_image[n].map((value, image) => scores.perImage[image][name] - value),
    ]),
    scores.rougeL - golden.ROUGE_L,
    ...golden.ROUGE_L_per_image.map((value, image) => scores.perImage[image].rougeL - value),
    scores.ciderD - golden.CIDEr,
    ...golden.CIDEr_per_image.map((value, image) => scores.perImage[image].ciderD - value),
  ];
  return Math.max(...errors.map((error) => (Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.abs(error))));
}

describe('golden scores', () => {
  it.each(Object.entries(readGoldens(ownGoldens)))('own case %s', (_name, golden) => {
    expect(worstError(golden)).toBeLessThan(1e-9);
  });

  it.skipIf(!existsSync(sharedGoldens))('the reference scorers agree to 1e-9 on every case', () => {
    const goldens = Object.entries(readGoldens(sharedGoldens));
    expect(goldens.length).toBeGreaterThanOrEqual(10);
    for (const [name, golden] of goldens) expect(worstError(golden), name).toBeLessThan(1e-9);
  });
});
