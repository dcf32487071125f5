import { printable } from '#src/errors';
import { isCaptionsTable } from './captionsCsv.js';
import { firstLine } from './captionText.js';
import { isPredictions } from './cocoCaptions.js';
import { isTokenLine } from './flickr8kTokens.js';
import { isKarpathyFile } from './karpathySplits.js';

/** What a file of captions is in words, and the source that reads it as YAML; there is none for predictions. */
export interface RecognizedCaptions {
  readonly words: string;
  readonly source?: string;
}

/**
 * The caption format of a file that was given as something else, by the marks that its own reader goes by.
 *
 * @param head the beginning of its text, at least a line
 * @param json its whole content where it is JSON, else undefined; asked for only when the text looks like JSON
 */
export function captionFormatOf(path: string, head: string, json: () => unknown): RecognizedCaptions | undefined {
  if (isCaptionsTable(head)) return { words: 'a table of captions', source: captionSourceText('csv', path) };
  if (isTokenLine(firstLine(head))) {
    return { words: 'a token file of captions', source: captionSourceText('flickr8k', path) };
  }
  if (!/^\s*[[{]/.test(head)) return undefined;
  const value = json();
  if (isPredictions(value)) return { words: 'predicted captions' };
  if (isKarpathyFile(value)) {
    return { words: 'a Karpathy split file', source: captionSourceText('karpathy', path, ', split: train') };
  }
  return hasImages(value) ? { words: 'COCO JSON', source: captionSourceText('coco', path) } : undefined;
}

/** A source as an experiment file names it. */
export function captionSourceText(format: string, path: string, more = ''): string {
  return `{ format: ${format}, path: ${/^[\w/][\w./-]*$/.test(path) ? path : printable(JSON.stringify(path))}${more} }`;
}

function hasImages(value: unknown): boolean {
  const images = (value as { images?: unknown } | null | undefined)?.images;
  return Array.isArray(images) && typeof images[0] === 'object' && images[0] !== null && 'file_name' in images[0];
}
