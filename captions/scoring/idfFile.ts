import { z } from 'zod';
import type { DocumentFrequencies } from '#captions/metrics';
import { describeValue, parseFile } from '#src/config';
import { UserError } from '#src/errors';
import { readJson, writeFileAtomic } from '#src/storage';

/** How the captions behind an n-gram table were tokenized. */
export type TokensOf = 'ptb' | 'pretokenized';

const IdfFile = z.strictObject(
  {
    tokens: z.enum(['ptb', 'pretokenized'], 'ptb or pretokenized'),
    numImages: z.int('a number of images from 1').min(1, 'a number of images from 1'),
    // Not a record: that would lose an n-gram named __proto__.
    counts: z.custom<object>(
      (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
      'a number of images for each n-gram',
    ),
  },
  'the keys tokens, numImages and counts alone, as --write-idf writes them',
);

/**
 * Writes document frequencies as `{"tokens": "ptb", "numImages": 5000, "counts": {"a dog": 120, ...}}`, with n-grams of one
 * to four words separated by single spaces.
 */
export function writeDocumentFrequencies(
  path: string,
  { numImages, counts }: DocumentFrequencies,
  tokens: TokensOf,
): void {
  writeFileAtomic(path, `${JSON.stringify({ tokens, numImages, counts: Object.fromEntries(counts) })}\n`);
}

/**
 * Document frequencies from a file written by `writeDocumentFrequencies`.
 *
 * @throws UserError when the file has another format, was counted on captions tokenized differently, or has an n-gram in
 *   more images than there are
 */
export function readDocumentFrequencies(path: string, tokens: TokensOf): DocumentFrequencies {
  const file = parseFile(IdfFile, readJson(path, 'document frequencies'), path);
  const { numImages, counts, tokens: counted } = file;
  if (counted !== tokens) {
    throw new UserError(
      `${path}: expected n-grams of ${tokens} captions, got ${counted}: write the file with the same options`,
    );
  }
  const entries = Object.entries(counts) as [string, unknown][];
  for (const [ngram, count] of entries) {
    if (Number.isInteger(count) && (count as number) >= 1 && (count as number) <= numImages) continue;
    throw new UserError(
      `${path}: counts[${describeValue(ngram)}]: expected a number of images from 1 to numImages, ${numImages}, got ${describeValue(count)}`,
    );
  }
  return { numImages, counts: new Map(entries as [string, number][]) };
}
