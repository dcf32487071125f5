import { UserError } from '#src/errors';

/** @throws UserError when an id occurs twice. @param where names the field of an entry */
export function refuseRepeatedIds(ids: readonly number[], where: (entry: number) => string): void {
  const firstEntry = new Map<number, number>();
  for (const [entry, id] of ids.entries()) {
    const earlier = firstEntry.get(id);
    if (earlier !== undefined) {
      throw new UserError(`${where(entry)}: expected an id of its own, got ${id}, that of images[${earlier}]`);
    }
    firstEntry.set(id, entry);
  }
}
