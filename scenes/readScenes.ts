import { z } from 'zod';
import { parseConfig } from '#src/config';
import { UserError } from '#src/errors';
import { readJson } from '#src/storage';
import type { Scene } from './scene.js';

const SceneFile = z.looseObject({ scenes: z.array(z.looseObject({ id: z.int() })) });

/** Ground truth of drawn scenes, in the order of `imageIds`. */
export function readScenes(path: string, imageIds: readonly number[]): Scene[] {
  const { scenes } = parseConfig(readJson(path, 'scene ground truth'), SceneFile, path);
  const byId = new Map(scenes.map((scene) => [scene.id, scene as unknown as Scene]));
  return imageIds.map((id) => {
    const scene = byId.get(id);
    if (scene === undefined) throw new UserError(`${path}: expected a scene with id ${id}, it has none`);
    return scene;
  });
}
