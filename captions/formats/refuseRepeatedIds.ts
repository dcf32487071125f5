import { UserError } from '#src/errors';

/** @throws UserError when an id occurs twice. @param where names the field of an entry */
export function refuseRepeatedIds(ids: readonly number[], where: (entry: number) => string): void {
  const firstEntry = new Map<number, number>();
  for (const [entry, id] of ids.entries()) {
    const earlier = firstEntry.get(id);
    if (earlier !== undefined) {
      throw new UserError(`${where(entry)}: expected a unique id, got ${id}, the id of images[${earlier}]`);
    }
    firstEntry.set(id, entry);
  }
}
