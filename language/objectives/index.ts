import { z } from 'zod';
import { createNextToken, NextTokenConfig } from './nextToken.js';
import type { Objective } from './objective.js';

/** Objectives of a language backbone. */
export const ObjectiveConfig = z.discriminatedUnion('kind', [NextTokenConfig]);
export type ObjectiveConfig = z.output<typeof ObjectiveConfig>;

/** @param config next-token prediction unless given */
export function createObjective(config: ObjectiveConfig = { kind: 'nextToken' }): Objective {
  switch (config.kind) {
    case 'nextToken':
      return createNextToken(config);
  }
}
