/** What bench/gpu/table.ts writes to bench/results/gpu-*.json, as far as it is shown. */
export interface GpuResults {
  readonly date: string;
  readonly card: string;
  /** The one-page table, a line each. */
  readonly page: readonly string[];
}

/** A comparison that was not made: no time of a peer. */
const WITHOUT_PEER = /\s–\s+–\s+–\s/;

/** The table of a run for bench/README.md. */
export function gpuMarkdown({ date, card, page }: GpuResults, fileName: string): string {
  const rows = page.filter((line) => !WITHOUT_PEER.test(line));
  return [
    `${card}, ${date.slice(0, 10)}; \`results/${fileName}\` has all lines. Milliseconds a training step; ratio: the peer's time`,
    'by ours, above 1 ours is faster; losses: the largest relative difference over the first ten steps; GiB: peak memory on the card.',
    '',
    '```text',
    ...rows,
    '```',
    '',
  ].join('\n');
}
