import { createRandom } from '#src/random';

/** Tokens [start, end) of the stream: a sequence of end - start - 1 predictions, at most seqLen. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Segments of a stream of tokens as one stream of their own.
 *
 * @param read tokens [start, end) of the stream that the segments are of
 */
export function joinedSegments(
  segments: readonly Span[],
  read: (start: number, end: number) => Int32Array,
): { readonly numTokens: number; read(start: number, end: number): Int32Array } {
  const offsets = new Float64Array(segments.length + 1); // where each segment begins in the joined stream
  for (const [i, { start, end }] of segments.entries()) offsets[i + 1] = offsets[i] + end - start;
  const segmentAt = (position: number): number => {
    let [low, high] = [0, segments.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (offsets[middle] <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  return {
    numTokens: offsets[segments.length],
    read: (start, end) => {
      const tokens = new Int32Array(end - start);
      for (let at = start, i = segmentAt(start); at < end; i++) {
        const upTo = Math.min(end, offsets[i + 1]);
        const from = segments[i].start - offsets[i];
        tokens.set(read(from + at, from + upTo), at - start);
        at = upTo;
      }
      return tokens;
    },
  };
}

/** The sequences of a part of the stream; pure in (epoch, index). */
export interface TextSpans {
  /** Sequences in an epoch, the same for every epoch. */
  readonly size: number;
  at(epoch: number, index: number): Span;
}

/**
 * Windows of seqLen + 1 tokens, each beginning on the last token of the one before, so that every token is predicted once.
 * The start of the first window is drawn each epoch; fewer than 2 · seqLen predictions of an epoch are left out.
 * A part of fewer than seqLen + 1 tokens has size 0.
 */
export function windowSpans(part: Span, seqLen: number, seed: number): TextSpans {
  const numPredictions = part.end - part.start - 1;
  const size = numPredictions < seqLen ? 0 : Math.max(1, Math.floor((numPredictions + 1) / seqLen) - 1);
  const numOffsets = Math.min(seqLen, numPredictions - size * seqLen + 1);
  const offset = perEpoch((epoch) => createRandom(seed, 'text', 'offset', epoch).integer(numOffsets));
  const order = shuffledOrder(size, seed);
  return {
    size,
    at: (epoch, index) => {
      const start = part.start + offset(epoch) + order(epoch)[index] * seqLen;
      return { start, end: start + seqLen + 1 };
    },
  };
}

/**
 * The windows of a part in order, from its first token, the last one as short as need be: every token predicted once.
 *
 * @param mixed in a fixed random order instead
 */
export function orderedWindowSpans(part: Span, seqLen: number, mixed = false): TextSpans {
  const size = Math.max(0, Math.ceil((part.end - part.start - 1) / seqLen));
  const order = mixed ? shuffledOrder(size, 0)(0) : undefined;
  return {
    size,
    at: (_, index) => {
      const start = part.start + (order === undefined ? index : order[index]) * seqLen;
      return { start, end: Math.min(start + seqLen + 1, part.end) };
    },
  };
}

/**
 * Documents, each from its end-of-text id to the one that follows it, cut to seqLen + 1 tokens.
 *
 * @param documentStarts [numDocuments + 1]
 * @param documents which ones, by index
 * @param seed shuffles each epoch; without one the documents come in order
 */
export function documentSpans(
  documentStarts: Float64Array,
  documents: ArrayLike<number>,
  seqLen: number,
  seed?: number,
): TextSpans {
  const size = documents.length;
  const order = seed === undefined ? undefined : shuffledOrder(size, seed);
  return {
    size,
    at: (epoch, index) => {
      const document = documents[order === undefined ? index : order(epoch)[index]];
      const start = documentStarts[document];
      return { start, end: Math.min(documentStarts[document + 1] + 1, start + seqLen + 1) };
    },
  };
}

function shuffledOrder(size: number, seed: number): (epoch: number) => readonly number[] {
  const inOrder = Array.from({ length: size }, (_, i) => i);
  return perEpoch((epoch) => createRandom(seed, 'text', epoch).shuffled(inOrder));
}

/** Keeps the value of the latest epoch asked for. */
function perEpoch<T>(compute: (epoch: number) => T): (epoch: number) => T {
  let latest: { epoch: number; value: T } | undefined;
  return (epoch) => {
    if (latest?.epoch !== epoch) latest = { epoch, value: compute(epoch) };
    return latest.value;
  };
}
