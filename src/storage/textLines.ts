/** Ends a line in every text that is read: `\n`, `\r\n` or `\r`; form feeds and Unicode's separators do not. */
const LINE_END = /\r\n|\r|\n/g;

/** The lines of a text without their ends. */
export function textLines(text: string): string[] {
  return text.split(LINE_END);
}

/** How many line ends a text holds. */
export function countLineEnds(text: string): number {
  return text.match(LINE_END)?.length ?? 0;
}

/** `textLines` of a text that comes in pieces; keeps one line in memory. */
export function* textLinesOf(chunks: Iterable<string>): Generator<string> {
  let pending: string[] = [];
  let afterReturn = false;
  for (const chunk of chunks) {
    // The second half of a `\r\n` that lies across two pieces.
    let start = afterReturn && chunk.startsWith('\n') ? 1 : 0;
    if (chunk !== '') afterReturn = chunk.endsWith('\r');
    LINE_END.lastIndex = start;
    for (let end = LINE_END.exec(chunk); end !== null; end = LINE_END.exec(chunk)) {
      pending.push(chunk.slice(start, end.index));
      start = end.index + end[0].length;
      yield pending.join('');
      pending = [];
      // The caller may have searched another text meanwhile.
      LINE_END.lastIndex = start;
    }
    pending.push(chunk.slice(start));
  }
  yield pending.join('');
}
