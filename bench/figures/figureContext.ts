import type { Row, Verdict } from '../results.js';
import { type Side, type SideName, type SideSpec, startSide } from '../side.js';

/** What a figure is measured with. */
export interface FigureContext {
  /** The sides that can take part. */
  readonly specs: ReadonlyMap<SideName, SideSpec>;
  readonly rounds: number;
  /** A folder for models, gone after the run. */
  readonly folder: string;
}

/** The peer, if it can take part. */
export function peerIn({ specs }: FigureContext, name: SideName): SideName | undefined {
  return specs.has(name) ? name : undefined;
}

/** Starts those of the named sides that can take part, and ends them after `work`. */
export async function withSides<T>(
  { specs }: FigureContext,
  names: readonly SideName[],
  work: (sides: Side[]) => Promise<T>,
): Promise<T> {
  const sides: Side[] = [];
  try {
    for (const name of names) {
      const spec = specs.get(name);
      if (spec) sides.push(await startSide(spec));
    }
    return await work(sides);
  } finally {
    await Promise.all(sides.map((side) => side.close()));
  }
}

/** The target of each row's ratio; none for rows without a peer. */
export function ratioVerdicts(rows: readonly Row[], bound: number, label = 'ours / PyTorch'): Verdict[] {
  return rows.flatMap(({ name, ratio }) =>
    ratio === undefined ? [] : [{ label: `${name}, ${label}`, value: ratio, target: { at: 'least' as const, bound } }],
  );
}
