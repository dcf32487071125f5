import { LANGUAGE_GROUP, languageNames } from '#language';
import { UserError } from '#src/errors';
import { type Attachment, attachGroup, detachGroup, readGroupFile, requireTaskGroup } from '#src/groups';
import type { TokenFormerConfig } from '#src/tokenformer';
import { headShapes, VISION_GROUP, visionNames } from '#vision';
import type { JointModelConfig } from './jointConfig.js';
import type { JointModel } from './jointModel.js';

type BackboneName = typeof VISION_GROUP | typeof LANGUAGE_GROUP;

/**
 * Attaches the group in a file to the backbone of a merged model that it was trained on: the same model with another configuration.
 * The model given must not be used again until the group is detached. A head in the file is left out: nothing in a merged
 * model reads one.
 *
 * @throws UserError when the file is damaged or does not go with the model
 */
export async function attachJointGroup(model: JointModel, path: string): Promise<JointModel> {
  const file = requireTaskGroup(readGroupFile(path));
  const { config, tree, method } = model;
  const { backbone, group } = file.description;
  if (method.backboneGroups === 'union') {
    throw new UserError(
      `${path}: cannot be attached to a model merged by '${method.name}': a group with a norm of its own is another one under the norm of the whole layer`,
    );
  }
  const other = backbone === VISION_GROUP ? LANGUAGE_GROUP : VISION_GROUP;
  if (attachedTo(model, other).includes(group.name)) {
    throw new UserError(
      `${path}: expected a group of another name: one on the ${other} backbone is called '${group.name}' already`,
    );
  }
  const { vision, language } = config;
  const namesWith = (stack: TokenFormerConfig): string[] =>
    backbone === VISION_GROUP
      ? visionNames({ ...vision.backbone, stack })
      : languageNames({ ...language.backbone, stack });
  const shapes = backbone === VISION_GROUP ? headShapes(file, vision.backbone) : new Map();
  const { stack } = config[backbone].backbone;
  const attachment = await attachGroup(
    { tree, backbone, stack, attached: attachedTo(model, backbone), namesWith },
    file,
    shapes,
  );
  return withAttachment(model, backbone, attachment);
}

/** Takes an attached group out of a merged model again. @throws UserError when there is none of that name */
export function detachJointGroup(model: JointModel, name: string): JointModel {
  const backbone: BackboneName = attachedTo(model, VISION_GROUP).includes(name) ? VISION_GROUP : LANGUAGE_GROUP;
  const { stack } = model.config[backbone].backbone;
  const on = { tree: model.tree, backbone, stack, attached: attachedTo(model, backbone) };
  return withAttachment(model, backbone, detachGroup(on, name));
}

function attachedTo({ attachedGroups }: JointModel, backbone: BackboneName): readonly string[] {
  return attachedGroups?.[backbone] ?? [];
}

function withAttachment(model: JointModel, name: BackboneName, { stack, attached }: Attachment): JointModel {
  const { config } = model;
  const part = config[name];
  const joined = { ...config, [name]: { ...part, backbone: { ...part.backbone, stack } } } as JointModelConfig;
  const groups = {
    vision: attachedTo(model, VISION_GROUP),
    language: attachedTo(model, LANGUAGE_GROUP),
    [name]: attached,
  };
  return { ...model, config: joined, attachedGroups: groups };
}
