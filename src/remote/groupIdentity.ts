import { createHash } from 'node:crypto';
import { backboneSha256 } from '#src/groups';
import type { HostTensor } from '#src/storage';
import type { ParameterTree } from '#src/tokenformer';
import { type GroupIdentities, type GroupIdentity, groupTensors } from '#src/training';

/** Names of all tensors of a group. */
function tensorsOf(path: string): string[] {
  return [...groupTensors(path), `${path}/tau`];
}

/** Sizes of a group and the SHA-256 of its keys, values and τ. */
export function groupIdentity(path: string, tensors: ReadonlyMap<string, HostTensor>): GroupIdentity {
  const [keys, values] = groupTensors(path).map((name) => (tensors.get(name) as HostTensor).shape);
  return {
    ...{ numParamTokens: keys[0], dIn: keys[1], dOut: values[1] },
    sha256: backboneSha256(tensorsOf(path), tensors),
  };
}

/** `groupIdentity` of groups of a model in memory. */
export async function treeIdentities(paths: readonly string[], tree: ParameterTree): Promise<GroupIdentities> {
  const names = new Set(paths.flatMap(tensorsOf));
  const tensors = await tree.toHost((name) => names.has(name));
  return new Map(paths.map((path) => [path, groupIdentity(path, tensors)]));
}

/** One SHA-256 for groups, whatever their order. */
export function groupsSha256(groups: GroupIdentities): string {
  const lines = [...groups].map(([path, { sha256 }]) => `${path} ${sha256}\n`);
  return createHash('sha256').update(lines.sort().join('')).digest('hex');
}
