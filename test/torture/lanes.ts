/** Works on items in order, `lanes` at a time. */
export async function inLanes<T>(lanes: number, items: readonly T[], work: (item: T, index: number) => Promise<void>) {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      await work(items[index], index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
}
