import { bestPeer, type Row, type Verdict } from '../results.js';
import { type Side, type SideName, type SideSpec, startSide } from '../side.js';

/** What a figure is measured with. */
export interface FigureContext {
  /** The sides that can take part. */
  readonly specs: ReadonlyMap<SideName, SideSpec>;
  readonly rounds: number;
  /** A folder for models, gone after the run. */
  readonly folder: string;
}

/** Ours, those that compute models, and our other engine. */
export const MODEL_SIDES: readonly SideName[] = ['native', 'pytorch', 'new-pytorch', 'compiled-pytorch', 'jax', 'wasm'];

/** What ours should reach beside a kind of peer; the best of `sides` counts. */
export interface PeerTarget {
  readonly peer: string;
  readonly sides: readonly SideName[];
  readonly bound: number;
}

/** Of speeds, beside the newest peers. */
export const NEW_PEER_TARGETS: readonly PeerTarget[] = [
  { peer: 'PyTorch', sides: ['new-pytorch'], bound: 2 },
  { peer: 'best compiled peer', sides: ['compiled-pytorch', 'jax'], bound: 1.3 },
];

/** Of speeds, beside Debian's PyTorch and the newest peers. */
export function modelTargets(debianBound: number): PeerTarget[] {
  return [{ peer: 'PyTorch (Debian)', sides: ['pytorch'], bound: debianBound }, ...NEW_PEER_TARGETS];
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

/** Each row's ratio beside each kind of peer that took part. */
export function ratioVerdicts(rows: readonly Row[], targets: readonly PeerTarget[], at: 'least' | 'most' = 'least'): Verdict[] {
  return targets.flatMap(({ peer, sides, bound }) =>
    rows.flatMap(({ name, ratios = {} }) => {
      const ofSides = Object.fromEntries(Object.entries(ratios).filter(([side]) => (sides as readonly string[]).includes(side)));
      const { ratio } = bestPeer(ofSides, at);
      return ratio === undefined ? [] : [{ label: `${name}, ours / ${peer}`, value: ratio, target: { at, bound } }];
    }),
  );
}
