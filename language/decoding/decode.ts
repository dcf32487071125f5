import { UserError } from '#src/errors';
import type { AttentionContext } from '#src/tokenformer';
import type { Tokenizer } from '../tokenizer/index.js';
import { createBeamSearch } from './beamSearch.js';
import { createDecodeState, type DecodeForward } from './decodeState.js';
import type { Decoding } from './decoding.js';
import { createRowSearch } from './rowSearch.js';
import type { Hypothesis, Search } from './search.js';

export interface DecodeRequest {
  /** One per input; they name its random stream, so that a draw does not depend on the rest of the batch. */
  readonly rowNames: readonly (string | number)[];
  /** Token ids that every input starts with; at least one. */
  readonly prompt: ArrayLike<number>;
  /** At least one. */
  readonly stopIds: readonly number[];
  /** What each input's rows read, [batch, contextLen, dModel]; the caller disposes it. */
  readonly contexts?: readonly AttentionContext[];
  /** Hears after every token what each input's first result is so far; beam search may change its mind. */
  readonly onTokens?: (tokenIds: readonly (readonly number[])[]) => void;
}

/**
 * Decodes token by token with a key-value cache: every pass computes only the newest position, and rows that have ended
 * are dropped. Equal to recomputing the whole sequence each time, row by row (tested).
 *
 * @returns per input: one result (greedy), at most nBest, best first (beam), or numSamples in the order of drawing
 */
export async function decode(
  forward: DecodeForward,
  { rowNames, prompt, stopIds, contexts, onTokens }: DecodeRequest,
  decoding: Decoding,
): Promise<Hypothesis[][]> {
  const batch = rowNames.length;
  const search: Search =
    decoding.method === 'beam'
      ? createBeamSearch(decoding, batch, stopIds)
      : createRowSearch(decoding, rowNames, stopIds);
  const state = createDecodeState(forward, batch, contexts);
  try {
    let tokenIds = Int32Array.from({ length: batch * prompt.length }, (_, i) => prompt[i % prompt.length]);
    while (tokenIds.length > 0) {
      const { parents, tokenIds: chosen } = search.next(await state.advance(tokenIds));
      if (parents.length > 0) state.select(parents);
      tokenIds = Int32Array.from(chosen);
      onTokens?.(search.leading());
    }
    return search.results();
  } finally {
    state.dispose();
  }
}

/** The ids that end a result: the end of text, and the decoding's own. */
export function stopIdsOf({ stopTokens }: Pick<Decoding, 'stopTokens'>, tokenizer: Tokenizer): number[] {
  const own = stopTokens.map((text) => {
    const ids = tokenizer.encode(text);
    if (ids.length === 1) return ids[0];
    throw new UserError(
      `stopTokens: expected texts that are one token each, '${text}' is ${ids.length} tokens of ${tokenizer.name}`,
    );
  });
  return [...new Set([tokenizer.endOfTextId, ...own])];
}
