import type { Evaluation } from '#evaluation';
import type { MergePlan, MergeReport } from '#fusion';
import type { ChildResult } from '../stages/index.js';
import type { PipelineCheck } from './pipelineChecks.js';

/** Everything a finished pipeline knows. */
export interface PipelineOutcome {
  readonly name: string;
  readonly command: string;
  readonly outDir: string;
  readonly evaluation: Evaluation;
  readonly plan: MergePlan;
  readonly mergeReport: MergeReport;
  readonly align: ChildResult;
  readonly upperBound: ChildResult | undefined;
  readonly checks: readonly PipelineCheck[];
  /** The page of the aligned model, from `outDir`; absent where none was asked for. */
  readonly page?: string | undefined;
  readonly wallSeconds: number;
  readonly peakMemoryBytes: number;
  /** Run directories of the stages that trained, by stage. */
  readonly runs: readonly { readonly stage: string; readonly runDir: string }[];
}
