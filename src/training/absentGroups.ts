/** @file `absent.json` of a device checkpoint: the groups that `split-params` left out, which another process holds. */
import { join } from 'node:path';
import { z } from 'zod';
import { parseConfig } from '#src/config';
import { jsonText, parseJson } from '#src/storage';
import type { CheckpointFolder } from './checkpointFolder.js';

/** Name of the file; a whole checkpoint has none. */
export const ABSENT_GROUPS = 'absent.json';

const size = z.int().positive();

/** A group by its sizes and its content. */
export const GroupIdentity = z.strictObject({
  numParamTokens: size,
  dIn: size,
  dOut: size,
  /** Of its keys, values and τ. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type GroupIdentity = z.output<typeof GroupIdentity>;

/** Path of a group, such as `block0/attention/query/language` → what it is. */
export type GroupIdentities = ReadonlyMap<string, GroupIdentity>;

const AbsentFile = z.strictObject({ format: z.literal(1), groups: z.record(z.string(), GroupIdentity) });

/** The file's bytes. */
export function absentGroupsFile(groups: GroupIdentities): Uint8Array {
  return Buffer.from(jsonText({ format: 1, groups: Object.fromEntries(groups) }));
}

/** The groups that a checkpoint lacks; none of a whole one. @throws UserError when the file is not what it should be */
export function absentGroups(folder: CheckpointFolder): GroupIdentities {
  if (!folder.has(ABSENT_GROUPS)) return new Map();
  const path = join(folder.directory, ABSENT_GROUPS);
  const json = parseJson(folder.readBytes(ABSENT_GROUPS, 'list of absent groups'), path, 'list of absent groups');
  return new Map(Object.entries(parseConfig(json, AbsentFile, path).groups));
}

/** Names of the tensors of a group that a device checkpoint leaves out; its τ stays. */
export function groupTensors(path: string): string[] {
  return [`${path}/keyParamTokens`, `${path}/valueParamTokens`];
}
