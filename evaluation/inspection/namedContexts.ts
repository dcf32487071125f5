import type { Tokenizer } from '#language';
import type { BridgeFlow, InspectedGroup, Inspection, UseContext } from './inspection.js';
import type { InspectionData } from './inspectionData.js';

/** The images and texts that contexts name. Texts are read a second time: keeping all of them would take memory by their number. */
export function namedContexts(
  { images, texts }: Omit<InspectionData, 'close'>,
  tokenizer: Tokenizer | undefined,
  groups: readonly InspectedGroup[],
  bridges: readonly BridgeFlow[],
): Pick<Inspection, 'images' | 'texts'> {
  const [imageIndices, textIndices] = [new Set<number>(), new Set<number>()];
  const name = (indices: Set<number>, contexts: readonly UseContext[]): void => {
    for (const [item] of contexts) if (item >= 0) indices.add(item);
  };
  for (const { stream, contexts } of groups.flatMap(({ uses }) => uses)) {
    for (const ofToken of contexts) name(stream === 'text' ? textIndices : imageIndices, ofToken);
  }
  for (const { words } of bridges.flatMap(({ tokens }) => tokens)) name(textIndices, words);
  const named: Inspection['texts'][number][] = [];
  for (const { first, text, images: read } of texts && tokenizer ? texts.batches(32) : []) {
    for (let row = 0; row < text.batch; row++) {
      if (!textIndices.has(first + row) || tokenizer === undefined) continue;
      const ids = text.tokenIds.subarray(row * text.seqLen, row * text.seqLen + text.lengths[row]);
      const image = read?.[row] ?? null;
      if (image !== null) imageIndices.add(image);
      named.push({ index: first + row, image, tokens: tokenTexts(ids, tokenizer) });
    }
  }
  return {
    images: [...imageIndices]
      .sort((a, b) => a - b)
      .map((index) => ({ index, name: (images as NonNullable<typeof images>).nameOf(index) })),
    texts: named,
  };
}

/**
 * The text of each token. A character of several tokens is that of the last of them, the others are empty.
 */
export function tokenTexts(ids: ArrayLike<number>, tokenizer: Tokenizer): string[] {
  let waiting: number[] = [];
  return Array.from(ids, (id, t) => {
    waiting.push(id);
    const text = tokenizer.decode(waiting);
    // Up to four bytes are a character; more that are none are not text.
    if (text.endsWith('\ufffd') && waiting.length < 4 && t + 1 < ids.length) return '';
    waiting = [];
    return text;
  });
}
