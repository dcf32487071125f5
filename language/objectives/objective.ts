import type { ParameterTree } from '#src/tokenformer';
import type { BatchComputation } from '#src/training';
import type { TextBatch } from '../data/index.js';
import type { AnyLanguageConfig } from '../model/config.js';

/** One batch as an objective sees it. */
export interface ObjectiveInput {
  readonly tree: ParameterTree;
  readonly language: AnyLanguageConfig;
  readonly batch: TextBatch;
}

/** What a language backbone learns from. */
export interface Objective {
  /** The sum of losses over the batch, in nats, and its divisor. */
  computation(input: ObjectiveInput): BatchComputation;
  /** Metrics of held-out text by name; `validation/loss` selects the best checkpoint. */
  metrics(meanLoss: number): Record<'validation/loss', number> & Record<string, number>;
}

/** How an objective is built from its configuration. */
export type ObjectiveFactory<C> = (config: C) => Objective;
