import { UserError } from '#src/errors';
import { createRandom } from '#src/random';
import type { PackedText } from './packedText.js';
import type { TextDataConfig } from './textDataConfig.js';
import type { Span } from './textSpans.js';

/** A part of packed text: whole documents, or the ends of some. */
export interface TextSelection {
  /** Tokens of the stream, in order, the end-of-text id after each document among them. */
  readonly segments: readonly Span[];
  /** The documents that begin in it. */
  readonly documents: readonly number[];
  /** Read in an order that mixes the segments, so that the first of it is a sample of all. */
  readonly mixed?: boolean;
}

type Documents = Pick<PackedText, 'documentStarts' | 'numDocuments' | 'numTokens'>;
type SplitConfig = Pick<
  TextDataConfig,
  'documents' | 'layout' | 'validationShare' | 'validationFrom' | 'validationSeed'
>;

export function wholeText(packed: Documents): TextSelection {
  return selectionOf(
    packed,
    Array.from({ length: packed.numDocuments }, (_, i) => i),
  );
}

/**
 * Text to train on and the share kept out of it: documents drawn over all files. Packed text of too few documents for that
 * gives the end of each; `validationFrom: end` takes the end of all the text.
 *
 * @throws UserError when the share rounds to no document, or nothing is left to train on
 */
export function splitText(
  packed: Documents,
  config: SplitConfig,
): { training: TextSelection; validation: TextSelection } {
  const { layout, validationShare: share = 0, validationFrom, validationSeed = 0 } = config;
  const { numDocuments } = packed;
  const count = Math.round(share * numDocuments);
  const fromEnd = validationFrom === 'end';
  if (layout === 'packed') {
    if (fromEnd) return endOf(packed, share, [{ start: 0, end: packed.numTokens }]);
    if (count === 0 || count === numDocuments) return endOf(packed, share, documentSegments(packed));
  } else {
    refuseEmpty(config, count, numDocuments);
  }
  const all = Array.from({ length: numDocuments }, (_, i) => i);
  // In the order of drawing: a validation of only some batches is then one of all files.
  const validation = fromEnd
    ? all.slice(-count)
    : createRandom(validationSeed, 'text', 'validation').shuffled(all).slice(0, count);
  const held = new Set(validation);
  return {
    training: selectionOf(
      packed,
      all.filter((document) => !held.has(document)),
    ),
    validation: selectionOf(packed, validation),
  };
}

function refuseEmpty({ documents, validationShare }: SplitConfig, count: number, numDocuments: number): void {
  if (count > 0 && count < numDocuments) return;
  const lines = documents === 'file' ? ', or make every line of plain text a document (documents: line)' : '';
  const remedy = `add text or name validationFiles${lines}`;
  const amount = `${validationShare} of ${numDocuments} ${numDocuments === 1 ? 'document' : 'documents'} rounds to ${count}`;
  if (count > 0) {
    throw new UserError(`validationShare: expected text left to train on, got none: ${amount}; lower it, ${remedy}`);
  }
  const enough = numDocuments > 1 ? `raise it to ${Math.ceil(50 / numDocuments) / 100}, ` : '';
  throw new UserError(`validationShare: expected a document to validate on, got none: ${amount}; ${enough}${remedy}`);
}

/** The last `share` of the tokens of each of `parts`. */
function endOf(
  packed: Documents,
  share: number,
  parts: readonly Span[],
): { training: TextSelection; validation: TextSelection } {
  const training: Span[] = [];
  const validation: Span[] = [];
  for (const { start, end } of parts) {
    // A part can be scored when it has two tokens, one of them predicted.
    const cut = end - Math.max(2, Math.round(share * (end - start)));
    if (cut - start < 2) {
      throw new UserError(
        `validationShare ${share}: expected text left to train on, got ${end - start} tokens in all; lower it or add text`,
      );
    }
    training.push({ start, end: cut });
    // Up to the end-of-text id that follows.
    validation.push({ start: cut, end: Math.min(end + 1, packed.numTokens) });
  }
  if (parts.length > 1) {
    const documents = Array.from({ length: packed.numDocuments }, (_, i) => i);
    return {
      training: { segments: training, documents },
      validation: { segments: validation, documents: [], mixed: true },
    };
  }
  const beginningIn = ({ start, end }: Span): number[] =>
    [...packed.documentStarts.keys()].filter((i) => {
      const at = packed.documentStarts[i];
      return i < packed.numDocuments && at >= start && at < end;
    });
  return {
    training: { segments: training, documents: beginningIn(training[0]) },
    validation: { segments: validation, documents: beginningIn(validation[0]) },
  };
}

/** Each document's tokens, the closing end-of-text id of the stream with the last one. */
function documentSegments({ documentStarts, numDocuments, numTokens }: Documents): Span[] {
  return Array.from({ length: numDocuments }, (_, i) => ({
    start: documentStarts[i],
    end: i + 1 === numDocuments ? numTokens : documentStarts[i + 1],
  }));
}

/** @param documents at least one */
function selectionOf({ documentStarts }: Documents, documents: readonly number[]): TextSelection {
  const segments: { start: number; end: number }[] = [];
  for (const document of documents) {
    const [start, end] = [documentStarts[document], documentStarts[document + 1]];
    const last = segments[segments.length - 1];
    if (last?.end === start) last.end = end;
    else segments.push({ start, end });
  }
  // The end-of-text id that follows.
  segments[segments.length - 1].end++;
  return { segments, documents };
}
