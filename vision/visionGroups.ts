import { UserError } from '#src/errors';
import { attachGroup, detachGroup, type GroupFile, readGroupFile, requireTaskGroup, type TaskGroup } from '#src/groups';
import type { HostTensor } from '#src/storage';
import type { ParameterShapes, ParameterTree } from '#src/tokenformer';
import { createVisionParameters, VISION_GROUP } from './model/backbone.js';
import type { VisionConfig } from './model/config.js';
import { newVisionHead, type VisionHead, visionHeadOf } from './visionHead.js';
import type { VisionModelConfig } from './visionModelConfig.js';

/** What a vision model with groups of tasks attached is made of. */
export interface GroupedVision {
  readonly tree: ParameterTree;
  readonly config: VisionModelConfig;
  /** Names of the attached groups. */
  readonly attachedGroups?: readonly string[];
  /** The model's own head, while that of an attached group takes its place. */
  readonly formerHead?: VisionHead & { readonly group: string; readonly tensors: ReadonlyMap<string, HostTensor> };
}

/** Names of the parameters of a vision backbone, without heads. */
export function visionNames(config: VisionConfig): string[] {
  return [...createVisionParameters(config, 0).keys()];
}

/** The parameters of the head in a group's file; none where it has no head. */
export function headShapes({ path, description }: GroupFile<TaskGroup>, backbone: VisionConfig): ParameterShapes {
  const head = visionHeadOf(description.head, path);
  return head ? newVisionHead(head, backbone, 0) : new Map();
}

/**
 * Attaches the group in a file to a vision model; a head in it takes the place of the model's. The result is the same model with
 * another configuration. The model given must not be used again until the group is detached.
 *
 * @throws UserError when the file is damaged or does not go with the model
 */
export async function attachVisionGroup<Model extends GroupedVision>(model: Model, path: string): Promise<Model> {
  const { tree, config, attachedGroups = [], formerHead } = model;
  const { backbone, objectives, labels } = config;
  const file = requireTaskGroup(readGroupFile(path));
  const { name } = file.description.group;
  const head = visionHeadOf(file.description.head, path);
  if (head && formerHead) {
    throw new UserError(`${path}: has a head of its own, as has the attached '${formerHead.group}'; detach that first`);
  }
  const shapes = headShapes(file, backbone);
  const on = { tree, backbone: VISION_GROUP, stack: backbone.stack, attached: attachedGroups } as const;
  const namesWith = (stack: VisionConfig['stack']): string[] => visionNames({ ...backbone, stack });
  const { stack, attached } = await attachGroup({ ...on, namesWith }, file, shapes);
  const grouped = { ...model, config: { ...config, backbone: { ...backbone, stack } }, attachedGroups: attached };
  if (head === undefined) return grouped;
  const own = newVisionHead({ objectives, labels }, backbone, 0);
  const tensors = await tree.toHost((tensor) => own.has(tensor));
  tree.remove([...own.keys()]);
  tree.add(new Map([...file.tensors].filter(([tensor]) => shapes.has(tensor))));
  return {
    ...grouped,
    config: { ...grouped.config, ...head },
    formerHead: { group: name, objectives, labels, tensors },
  };
}

/** Takes an attached group out of a vision model again, and puts its former head back. @throws UserError when there is none of that name */
export function detachVisionGroup<Model extends GroupedVision>(model: Model, name: string): Model {
  const { tree, config, attachedGroups = [], formerHead } = model;
  const { backbone, objectives, labels } = config;
  const on = { tree, backbone: VISION_GROUP, stack: backbone.stack, attached: attachedGroups } as const;
  const { stack, attached } = detachGroup(on, name);
  const single = { ...model, config: { ...config, backbone: { ...backbone, stack } }, attachedGroups: attached };
  if (formerHead?.group !== name) return single;
  tree.remove([...newVisionHead({ objectives, labels }, backbone, 0).keys()]);
  tree.add(formerHead.tensors);
  const former = { objectives: formerHead.objectives, labels: formerHead.labels };
  return { ...single, config: { ...single.config, ...former }, formerHead: undefined };
}
