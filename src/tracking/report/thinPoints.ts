/** A value at a step. */
export type ChartPoint = readonly [step: number, value: number];

/**
 * At most about `maxPoints` of the points, in order: the minimum and maximum of every interval, and both ends, so that
 * spikes stay visible.
 */
export function thinPoints(points: readonly ChartPoint[], maxPoints: number): readonly ChartPoint[] {
  if (points.length <= maxPoints) return points;
  const inner = points.slice(1, -1);
  const numStretches = Math.max(1, Math.floor((maxPoints - 2) / 2));
  const kept: ChartPoint[] = [points[0]];
  for (let stretch = 0; stretch < numStretches; stretch++) {
    const start = Math.floor((stretch * inner.length) / numStretches);
    const end = Math.floor(((stretch + 1) * inner.length) / numStretches);
    let lowest = start;
    let highest = start;
    for (let i = start + 1; i < end; i++) {
      if (inner[i][1] < inner[lowest][1]) lowest = i;
      if (inner[i][1] > inner[highest][1]) highest = i;
    }
    kept.push(inner[Math.min(lowest, highest)]);
    if (lowest !== highest) kept.push(inner[Math.max(lowest, highest)]);
  }
  kept.push(points[points.length - 1]);
  return kept;
}
