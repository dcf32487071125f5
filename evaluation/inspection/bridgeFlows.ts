import { addedParameters, type JointModel } from '#fusion';
import { type GroupTally, rounded } from './groupTally.js';
import type { BridgeFlow, InspectedGroup } from './inspection.js';

/** Parameter tokens shown of a bridge group. */
const TOKENS = 4;

/**
 * What the bridge groups of a merged model connect: the parameter tokens that write most, and the words they reach.
 *
 * @param delivered what groups that read image tokens bring to words, by path
 */
export function bridgeFlows(
  { config }: JointModel,
  groups: readonly InspectedGroup[],
  delivered: ReadonlyMap<string, GroupTally>,
): BridgeFlow[] {
  const bridges = new Set(addedParameters(config).groups.map(({ path, group }) => `${path}/${group}`));
  return groups
    .filter(({ path }) => bridges.has(path))
    .flatMap(({ path, uses }) =>
      uses.map(({ stream, shareOfLayer, use }): BridgeFlow => {
        const total = use.reduce((sum, u) => sum + u, 0);
        const most = [...use.keys()].filter((token) => use[token] > 0).sort((a, b) => use[b] - use[a]);
        const tokens = most.slice(0, TOKENS).map((token) => ({
          token,
          use: use[token],
          share: rounded(use[token] / total),
          words: stream === 'reading' ? (delivered.get(path)?.contextsOf(token) ?? []) : [],
        }));
        return { path, stream, shareOfLayer, tokens };
      }),
    );
}
