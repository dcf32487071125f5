import type { HostTensor } from '#src/storage';
import { createVisionParameters } from './model/backbone.js';
import type { AnyVisionConfig } from './model/config.js';
import type { Objective } from './objectives/index.js';

/** New parameters of a vision model: those of the backbone, then those of its objectives. */
export function newVisionParameters(
  backbone: AnyVisionConfig,
  objectives: readonly Objective[],
  seed: number,
): Map<string, HostTensor> {
  return new Map([
    ...createVisionParameters(backbone, seed),
    ...objectives.flatMap((objective) => [...objective.createParameters(seed)]),
  ]);
}
