import { z } from 'zod';
import { parseConfig } from '#src/config';
import type { HostTensor } from '#src/storage';
import type { VisionConfig } from './model/config.js';
import { createObjective, ObjectiveConfig } from './objectives/index.js';
import { VisionLabels, type VisionModelConfig } from './visionModelConfig.js';

/** What a vision model predicts: its objectives, and the names of their labels. */
export const VisionHead = z.strictObject({ objectives: z.array(ObjectiveConfig).min(1), labels: VisionLabels });
export type VisionHead = Pick<VisionModelConfig, 'objectives' | 'labels'>;

/** The head that a group file describes; undefined for one without. @throws UserError when it is none */
export function visionHeadOf(description: unknown, path: string): VisionHead | undefined {
  return description === undefined ? undefined : parseConfig(description, VisionHead, path);
}

/** New parameters of a head. @throws ConfigError for labels that an objective needs and lacks */
export function newVisionHead(
  { objectives, labels }: VisionHead,
  backbone: VisionConfig,
  seed: number,
): Map<string, HostTensor> {
  return new Map(
    objectives.flatMap((objective) => [...createObjective(objective, backbone, labels, seed).createParameters(seed)]),
  );
}
