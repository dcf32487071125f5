import { join, resolve } from 'node:path';
import { ConfigError, RunError } from '#src/errors';
import type { HostTensor } from '#src/storage';
import type { AppendedGroup, ParameterShapes, TokenFormerConfig } from '#src/tokenformer';
import {
  type Checkpoint,
  findCheckpoint,
  type ModelKind,
  type RunOptions,
  readModel,
  runTraining,
  type TrainingConfig,
  type TrainingResult,
  type TrainingTask,
} from '#src/training';
import { backboneSha256, treeSha256 } from './backboneHash.js';
import { GROUP_SUFFIX, type TaskGroup, writeGroupFile } from './groupFile.js';
import { newTaskGroup, withGroup } from './taskGroups.js';

/** How a backbone is tuned, whichever it is. */
export interface Tuning {
  /** Of the run, in its progress. */
  readonly name: string;
  readonly seed: number;
  /** The group that is trained; all parameters where there is none. */
  readonly group: AppendedGroup | undefined;
  readonly training: TrainingConfig;
  /** The whole experiment, kept in the group's file. */
  readonly experiment: object;
}

/** A backbone that is ready to be tuned. */
export interface TunedModel<Config> {
  readonly modelKind: ModelKind<Config>;
  readonly backbone: TaskGroup['backbone'];
  /** With the group. */
  readonly config: Config;
  readonly assets: Checkpoint['assets'];
  /** Names of the backbone's parameters, without the group and heads. */
  readonly names: readonly string[];
  /** The group's parameters; none where all are trained. */
  readonly group: ParameterShapes;
  /** A head that is trained with it. */
  readonly head?: { readonly description: object; readonly parameters: ParameterShapes };
  readonly task: TrainingTask;
}

export interface TuneResult extends TrainingResult {
  readonly trainableParameters: number;
  readonly frozenParameters: number;
  /** The file of the group; null where all parameters were trained. */
  readonly group: string | null;
  /** Of the backbone before and after, where it was frozen. */
  readonly backboneSha256: string | null;
}

/**
 * A stack as it is tuned, and the group's new parameters.
 *
 * @throws ConfigError when the stack has a group of that name
 */
export function tunedStack<Stack extends TokenFormerConfig>(
  backbone: string,
  stack: Stack,
  { group, seed }: Pick<Tuning, 'group' | 'seed'>,
): { readonly stack: Stack; readonly parameters: ReadonlyMap<string, HostTensor> } {
  if (group === undefined) return { stack, parameters: new Map() };
  if (stack.appendedGroups?.some(({ name }) => name === group.name)) {
    throw new ConfigError(`group.name: expected a new name, the model has a group '${group.name}' already`);
  }
  return { stack: withGroup(stack, group), parameters: newTaskGroup(backbone, stack, group, seed) };
}

/**
 * Trains a group, and a head where there is one, beside a frozen backbone; or all parameters. Checkpoints are whole models. At the
 * end the group of the best one becomes a file of its own in the run directory, `<group>.safetensors`.
 *
 * @throws RunError when the frozen backbone has changed
 */
export async function runTuning<Config>(
  model: TunedModel<Config>,
  tuning: Tuning,
  options: RunOptions,
): Promise<TuneResult> {
  const { task, names, group: groupParameters, head, modelKind, config, assets } = model;
  const { parameters: tree } = task;
  const runDir = resolve(options.runDir);
  const isOwn = (name: string): boolean => groupParameters.has(name) || head?.parameters.has(name) === true;
  tree.setTrainable(tuning.group === undefined ? () => true : isOwn);
  const trainableParameters = tree.countParameters(tree.trainableNames());
  const frozenParameters = tree.countParameters() - trainableParameters;
  const count = (n: number): string => n.toLocaleString('en-US');
  options.output.line(`${count(trainableParameters)} parameters are trained, ${count(frozenParameters)} are frozen`);
  const before = await treeSha256(names, tree);
  const result = await runTraining({
    ...{ task, config: tuning.training, seed: tuning.seed, runDir, label: tuning.name, assets },
    model: { kind: modelKind.kind, config: config as Record<string, unknown> },
    ...{ resume: options.resume, output: options.output, signal: options.signal },
  });
  const counts = { ...result, trainableParameters, frozenParameters };
  if (tuning.group === undefined) return { ...counts, group: null, backboneSha256: null };

  const { tensors } = readModel(findCheckpoint(runDir), modelKind);
  if (backboneSha256(names, tensors) !== before) {
    throw new RunError(
      `${runDir}: the frozen backbone is not the one that was to be tuned; move the run away and tune again`,
    );
  }
  const path = join(runDir, `${tuning.group.name}${GROUP_SUFFIX}`);
  const { bestStep: step, bestValue: value } = result;
  writeGroupFile(
    path,
    {
      ...{ kind: 'task', group: tuning.group, backbone: model.backbone, backboneSha256: before },
      parameters: trainableParameters,
      ...(head && { head: head.description as Record<string, unknown> }),
      origin: { experiment: tuning.experiment, step, metric: task.selectBy.metric, value },
    },
    new Map([...tensors].filter(([name]) => isOwn(name))),
  );
  return { ...counts, group: path, backboneSha256: before };
}
