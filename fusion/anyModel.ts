import { ANY_LANGUAGE_KIND } from '#language';
import { type Checkpoint, readModel, readModelDescription } from '#src/training';
import { VISION_KIND } from '#vision';
import { JOINT_KIND } from './jointKind.js';

/** Reads a model of any kind, whole and checked, such that it can be written again. @throws UserError as `readModel` */
export function readAnyModel(directory: string): Checkpoint {
  const model = readModelDescription(directory);
  const { tensors, assets } =
    model.kind === 'fusion'
      ? readModel(directory, JOINT_KIND)
      : model.kind === 'vision'
        ? readModel(directory, VISION_KIND)
        : readModel(directory, ANY_LANGUAGE_KIND);
  return { model, tensors, assets };
}
