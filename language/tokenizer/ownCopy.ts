/** A copy of a part of a text that does not keep the text in memory, as V8's slices do. */
export function ownCopy(part: string): string {
  return Buffer.from(part, 'utf16le').toString('utf16le');
}
