import { shownText, UserError } from '#src/errors';
import type { ParameterShapes, ParameterTree, TokenFormerConfig } from '#src/tokenformer';
import { treeSha256 } from './backboneHash.js';
import { type GroupFile, refuseOtherTensors, type TaskGroup } from './groupFile.js';
import { newTaskGroup, withGroup, withoutGroup } from './taskGroups.js';

/** A backbone in memory, alone or in a merged model, as groups are attached to it. */
export interface GroupedBackbone {
  readonly tree: ParameterTree;
  readonly backbone: TaskGroup['backbone'];
  readonly stack: TokenFormerConfig;
  /** Names of the groups that were attached; the stack's other groups belong to the backbone. */
  readonly attached: readonly string[];
  /** Names of the backbone's parameters if its stack were this one, without heads. */
  readonly namesWith: (stack: TokenFormerConfig) => Iterable<string>;
}

/** What attaching and detaching change of a model's description; its tree gains or loses the group's parameters. */
export type Attachment = Pick<GroupedBackbone, 'stack' | 'attached'>;

/**
 * Adds a group beside those that a backbone has. Nothing of the backbone changes.
 *
 * @param head what the file holds besides the group; the caller puts it into the tree
 * @throws UserError when a group of its name is there, it was trained on another backbone, or the backbone is not whole
 */
export async function attachGroup(
  on: GroupedBackbone,
  file: GroupFile<TaskGroup>,
  head: ParameterShapes = new Map(),
): Promise<Attachment> {
  const { tree, backbone, stack, attached, namesWith } = on;
  const { group, backboneSha256: wanted } = file.description;
  const { name } = group;
  if (file.description.backbone !== backbone) {
    throw new UserError(
      `${file.path}: expected a group of a ${backbone} backbone, got one of a ${file.description.backbone} backbone`,
    );
  }
  if (stack.appendedGroups?.some((present) => present.name === name)) {
    throw new UserError(
      `${file.path}: expected a group of another name: the ${backbone} backbone has a group '${name}' already; detach that first, or tune the new one under another name`,
    );
  }
  const own = attached.reduce(withoutGroup, stack);
  const lacking = [...namesWith(own)].find((parameter) => !tree.has(parameter));
  if (lacking !== undefined) {
    throw new UserError(
      `${file.path}: cannot be attached to a model without '${lacking}': the backbone must be whole; attach the group before 'tokenfuse split-params'`,
    );
  }
  const found = await treeSha256(namesWith(own), tree);
  if (found !== wanted) {
    throw new UserError(
      `${file.path}: '${shownText(name)}' belongs to another ${backbone} backbone: it was trained on the one with SHA-256 ${shortHash(wanted)}, this model has ${shortHash(found)}; take the model that it was tuned on, or one merged from that`,
    );
  }
  const expected = newTaskGroup(backbone, stack, group, 0);
  refuseOtherTensors(file, new Map([...expected, ...head]));
  tree.add(new Map([...file.tensors].filter(([tensor]) => expected.has(tensor))));
  return { stack: withGroup(stack, group), attached: [...attached, name] };
}

/**
 * Takes an attached group out again: the model computes what it did before, to the bit.
 *
 * @throws UserError when no such group was attached
 */
export function detachGroup(
  { tree, backbone, stack, attached }: Omit<GroupedBackbone, 'namesWith'>,
  name: string,
): Attachment {
  const group = attached.includes(name) ? stack.appendedGroups?.find((present) => present.name === name) : undefined;
  if (group === undefined) {
    const list = attached.length > 0 ? attached.join(', ') : 'none';
    throw new UserError(`expected the name of an attached group (${list}), got '${shownText(name)}'`);
  }
  tree.remove([...newTaskGroup(backbone, stack, group, 0).keys()]);
  return { stack: withoutGroup(stack, name), attached: attached.filter((other) => other !== name) };
}

/** The beginning of a hash, enough to tell two apart. */
export function shortHash(sha256: string): string {
  return `${sha256.slice(0, 12)}…`;
}
