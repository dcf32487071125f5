/**
 * A letter or digit, then whitespace or punctuation. Every supported split pattern (GPT-2, cl100k, o200k) ends a word
 * between the two and never looks behind the word it matches. The apostrophe is excluded: o200k joins "it's".
 */
const WORD_END = /[\p{L}\p{N}](?=[\p{White_Space}\p{P}])(?!')/gu;

/**
 * Regroups a stream of text into pieces whose separate encodings concatenate to exactly that of the whole text: it is cut
 * only where every supported split pattern ends a word. Text without such a position stays in one piece.
 *
 * @param minLength pieces are at least this long (UTF-16 units), except the last
 */
export function* textPieces(chunks: Iterable<string>, minLength = 1 << 18): Generator<string> {
  let pending = '';
  let searched = 0;
  for (const chunk of chunks) {
    pending += chunk;
    if (pending.length < minLength) continue;
    const cut = lastWordEnd(pending, searched);
    // The last three units are searched again: a match spans at most a surrogate pair and a lookahead character.
    searched = Math.max(0, pending.length - 3);
    if (cut === undefined) continue;
    yield pending.slice(0, cut);
    pending = pending.slice(cut);
    searched = Math.max(0, pending.length - 3);
  }
  if (pending.length > 0) yield pending;
}

/** End of the last word of `text` that ends after `from`; searched backwards, since it is usually close to the end. */
function lastWordEnd(text: string, from: number): number | undefined {
  for (let span = 256; ; span *= 8) {
    const start = Math.max(from, text.length - span);
    let end: number | undefined;
    for (const match of text.slice(start).matchAll(WORD_END)) end = start + match.index + match[0].length;
    if (end !== undefined || start === from) return end;
  }
}
