/** The part itself: a page encodes little text. */
export function ownCopy(part: string): string {
  return part;
}
