import { join } from 'node:path';
import { LANGUAGE_KIND, languageNames } from '#language';
import { backboneSha256, newTaskGroup, type TaskGroup, writeGroupFile } from '#src/groups';
import type { HostTensor } from '#src/storage';
import { AppendedGroup } from '#src/tokenformer';
import { findCheckpoint, readModel } from '#src/training';
import { newVisionHead, VISION_KIND, type VisionHead, visionNames } from '#vision';
import { randomValues } from './randomValues.js';

/** A group as if a tuning had trained it hard: every value is random. */
export function trainedGroup(tensors: ReadonlyMap<string, HostTensor>, name: string): Map<string, HostTensor> {
  return new Map(
    [...tensors].map(([tensor, { shape, values }]) => [
      tensor,
      tensor.endsWith('/tau') ? { shape, values } : { shape, values: randomValues(values.length, name, tensor) },
    ]),
  );
}

/** Writes `<folder>/<name>.safetensors`, a group for the backbone in `<folder>/<backbone>`; three tokens in each layer unless given. */
export function writeTinyGroup(
  folder: string,
  backbone: TaskGroup['backbone'],
  given: Partial<AppendedGroup> & { readonly name: string },
  { head, isTrained = true }: { readonly head?: VisionHead; readonly isTrained?: boolean } = {},
): string {
  const group = AppendedGroup.parse({ query: 3, key: 3, value: 3, output: 3, ffn: 3, ...given });
  const directory = findCheckpoint(join(folder, backbone));
  const model = backbone === 'vision' ? readModel(directory, VISION_KIND) : readModel(directory, LANGUAGE_KIND);
  const names =
    backbone === 'vision'
      ? visionNames(readModel(directory, VISION_KIND).config.backbone)
      : languageNames(readModel(directory, LANGUAGE_KIND).config.backbone);
  const fresh = newTaskGroup(backbone, model.config.backbone.stack, group, 5);
  const tensors = isTrained ? trainedGroup(fresh, group.name) : fresh;
  const parameters = [...tensors].reduce(
    (sum, [name, { values }]) => sum + (name.endsWith('/tau') ? 0 : values.length),
    0,
  );
  const description: TaskGroup = {
    kind: 'task',
    group,
    backbone,
    backboneSha256: backboneSha256(names, model.tensors),
    parameters,
    ...(head && { head: { ...head } }),
    origin: { experiment: { name: 'tiny' } },
  };
  const heads =
    head === undefined
      ? new Map<string, HostTensor>()
      : trainedGroup(newVisionHead(head, readModel(directory, VISION_KIND).config.backbone, 5), 'head');
  const path = join(folder, `${group.name}.safetensors`);
  writeGroupFile(path, description, new Map([...tensors, ...heads]));
  return path;
}
