import { printable } from '#src/errors';

/** A file or folder that was looked at and not used. */
export interface PassedOver {
  /** Its path from the folder that was read. */
  readonly name: string;
  /** Unless it is plain from its name. */
  readonly reason?: string;
}

/** How many a line names. */
const SHOWN = 5;

/** `pictures: 3 files passed over: a.heic (cannot be decoded here), notes.txt, …`; undefined when there are none. */
export function passedOverLine(where: string, passedOver: readonly PassedOver[]): string | undefined {
  if (passedOver.length === 0) return undefined;
  const count = passedOver.length === 1 ? '1 file' : `${passedOver.length} files`;
  return `${printable(where)}: ${count} passed over: ${namePassedOver(passedOver)}`;
}

/** The first few by name, with why. */
export function namePassedOver(passedOver: readonly PassedOver[]): string {
  // Those with a reason first: they are what a reader would not expect.
  const ordered = [...passedOver.filter(({ reason }) => reason), ...passedOver.filter(({ reason }) => !reason)];
  const named = ordered.slice(0, SHOWN).map(({ name, reason }) => printable(reason ? `${name} (${reason})` : name));
  return `${named.join(', ')}${ordered.length > SHOWN ? ', …' : ''}`;
}
