/**
 * Runs `task(0..count-1)` with at most `concurrency` at a time. After a failure no further task starts, and the failure
 * is thrown only when all that had started are done, so that what they use can then be closed.
 */
export async function forEachConcurrently(
  count: number,
  concurrency: number,
  task: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    while (next < count && failures.length === 0) {
      try {
        await task(next++);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, work));
  if (failures.length > 0) throw failures[0];
}
