/** Runs tasks side by side while the memory that they say they need stays within a sum. */
export interface MemoryBudget {
  /** Waits for its turn, first come, first served; a task that needs more than all of it runs alone. */
  within<T>(bytes: number, task: () => Promise<T>): Promise<T>;
}

/** A budget of `total` bytes. */
export function createMemoryBudget(total: number): MemoryBudget {
  let free = total;
  const waiting: { readonly bytes: number; readonly start: () => void }[] = [];
  const next = (): void => {
    while (waiting.length > 0 && waiting[0].bytes <= free) {
      const { bytes, start } = waiting.shift() as (typeof waiting)[number];
      free -= bytes;
      start();
    }
  };
  return {
    async within(wanted, task) {
      const bytes = Math.min(wanted, total);
      await new Promise<void>((start) => {
        waiting.push({ bytes, start });
        next();
      });
      try {
        return await task();
      } finally {
        free += bytes;
        next();
      }
    },
  };
}
