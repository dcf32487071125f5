import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Interrupted, interruption, type Output } from '#src/cli';
import { createProgress, createTracker } from '#src/tracking';
import { AdamW } from './adamW.js';
import { type Checkpoint, type ModelDescription, writeCheckpoint } from './checkpoint.js';
import { pointAt, removeUnpointed } from './checkpointPointers.js';
import type { TrainingConfig } from './config.js';
import { evaluationLine } from './evaluationLine.js';
import type { OptimizerStart, TrainingCost } from './initFrom.js';
import { isFirstObserved, isObserved } from './observation.js';
import { RecordedGradients } from './recordedGradients.js';
import { requireTrainable } from './requireTrainable.js';
import { restoreRun } from './restoreRun.js';
import { type RunGrowth, rowCounts } from './runGrowth.js';
import { isBetter, isEvaluated, isOver, lacksEvaluation } from './runStatus.js';
import { learningRateAt } from './schedule.js';
import { orderedState, type TrainingState } from './trainingState.js';
import type { TrainingTask } from './trainingTask.js';
import { trainStep } from './trainStep.js';

/** Where a run that trains reads and writes. */
export interface RunOptions {
  readonly runDir: string;
  /** Paths of the experiment start here. */
  readonly root: string;
  readonly cacheDir: string;
  /** Whether to continue from the last checkpoint in `runDir`. */
  readonly resume: boolean;
  readonly output: Output;
  /** Ends the run after its step, with a checkpoint, like SIGTERM; the run then throws the signal's reason. */
  readonly signal?: { readonly aborted: boolean; readonly reason?: unknown } | undefined;
}

export interface TrainingRun {
  readonly task: TrainingTask;
  readonly config: TrainingConfig;
  readonly seed: number;
  readonly runDir: string;
  readonly label: string;
  readonly model: ModelDescription;
  readonly assets: Checkpoint['assets'];
  readonly resume: boolean;
  readonly output: Output;
  readonly signal?: RunOptions['signal'];
  /** What the optimizer starts with; nothing unless given. */
  readonly optimizerStart?: OptimizerStart | undefined;
  /** What the model that this one starts from has cost; nothing without one. Empty where its checkpoint does not say. */
  readonly costBefore?: TrainingCost | undefined;
  /** Rows of each parameter that a smaller model had that this one starts from. */
  readonly oldRows?: ReadonlyMap<string, number> | undefined;
  /** What TensorBoard's HPARAMS table shows of the run beside its kind, seed and training. */
  readonly settings?: object;
  /** How the model grows by `config.stages`. */
  readonly growth?: RunGrowth;
}

export interface TrainingResult {
  readonly steps: number;
  readonly bestStep: number;
  readonly bestValue: number;
  /** Metrics of the last evaluation. */
  readonly last: Record<string, number>;
}

/**
 * Trains to `config.steps`, with evaluations, logs and checkpoints. With `resume` it continues from the last
 * checkpoint and ends with the same bytes as an uninterrupted run. The first loss or gradient that is not finite stops the
 * run; the last checkpoint stays as it was. A signal ends the run after its step, or in an evaluation, with a checkpoint.
 *
 * @throws Interrupted after a signal
 * @throws ConfigError when the configuration asks for growth or for prefixes, and the model can have none
 */
export function runTraining(run: TrainingRun): Promise<TrainingResult> {
  requireTrainable(run);
  return interruption.waitFor(() => train(run));
}

async function train(run: TrainingRun): Promise<TrainingResult> {
  const { config, seed, runDir } = run;
  const stages = config.stages ?? [];
  let { task, model } = run;
  const { parameters } = task;
  const optimizer = new AdamW(parameters, config);
  const recordings = new RecordedGradients();
  if (run.oldRows) optimizer.useOldRows(run.oldRows);
  /** Growths that are behind. */
  let grown = 0;
  const growth = run.growth;
  /** Makes parameters, task and description those of the model after so many growths, with the parameters that `grow` gives. */
  const useSize = (size: number, grow: (growth: RunGrowth) => void): void => {
    if (growth === undefined) return;
    const before = rowCounts(growth.shapes(size - 1));
    grow(growth);
    grown = size;
    ({ task, model } = growth.after(size));
    optimizer.useOldRows(before);
  };
  const prepare = ({ step }: TrainingState): void => {
    const size = stages.filter(({ afterStep }) => afterStep < step).length;
    if (size > 0) useSize(size, ({ fresh }) => parameters.replace(fresh(size)));
  };
  const restored = run.resume
    ? restoreRun({ ...run, parameters, teacher: task.teacher, prepare }, optimizer)
    : undefined;
  if (restored !== undefined) removeUnpointed(runDir);
  let state: TrainingState = restored ?? {
    ...{ step: 0, seed, dataPosition: 0, bestValue: null, bestStep: null },
    ...(run.costBefore ?? { units: 0, flops: 0 }),
  };
  if (task.flopsIn === undefined) state = { ...state, flops: undefined };
  if (restored === undefined && run.optimizerStart) {
    const { moments, path, steps } = run.optimizerStart;
    optimizer.loadPadded(moments, path);
    state = { ...state, optimizerStep: steps };
  }
  // A run killed before its first checkpoint starts over: nothing it logged is kept, not even step 0.
  const tracker = createTracker({ runDir, resumeStep: run.resume ? (restored?.step ?? -1) : undefined });
  const { metric: selected } = task.selectBy;
  tracker.hparams({ kind: model.kind, seed, ...run.settings, training: config });
  const progress = createProgress({
    total: config.steps,
    start: state.step,
    label: run.label,
    unit: task.unit,
    output: run.output,
  });
  let last: Record<string, number> = {};
  let savedStep = restored?.step;
  const checkpoint = async (isBest: boolean): Promise<void> => {
    // A checkpoint must never be ahead of the metrics on disk: resuming keeps only what was logged up to its step.
    tracker.flush();
    await save({ ...run, task, model }, optimizer, state, isBest);
    savedStep = state.step;
  };
  /** Throws what ends the run when it is asked to, with its state on disk. */
  const stop = async (): Promise<never> => {
    if (state.step > 0 && savedStep !== state.step) await checkpoint(false);
    const { signal } = interruption;
    if (signal === undefined) throw run.signal?.reason;
    throw new Interrupted(signal, state.step === 0 ? ' before the first step' : ` after step ${state.step}`, true);
  };
  const refuseStopped = (): void => {
    if (isStopped(run)) throw new StoppedEvaluation();
  };
  const evaluate = async (): Promise<boolean> => {
    last = await task.evaluate(refuseStopped);
    const { units, flops } = state;
    const cost = {
      ...(units !== undefined && { [`train/${task.unit}`]: units }),
      ...(flops !== undefined && { 'train/flops': flops }),
    };
    tracker.log(state.step, { ...last, ...cost });
    if (task.observe && isObserved(state.step, config)) {
      tracker.show(state.step, await task.observe(isFirstObserved(state.step, config)));
    }
    const value = last[task.selectBy.metric];
    const counts = state.step > 0 || task.selectBy.fromStart === true;
    const improved = counts && isBetter(task, value, state.bestValue);
    if (improved) state = { ...state, bestValue: value, bestStep: state.step };
    progress.line(evaluationLine(run.label, state.step, last, task.selectBy, improved));
    return improved;
  };
  /** Grows the model before the next step, where a stage says so. What it does to the function is logged with that step. */
  const growIfDue = async (): Promise<void> => {
    const stage = stages[grown];
    if (growth === undefined || stage?.afterStep !== state.step) return;
    // Whatever ends the run while it grows, it goes on from here: a checkpoint of this step holds the smaller model.
    if (savedStep !== state.step) await checkpoint(false);
    const { metric } = task.selectBy;
    const measure = async (): Promise<number> => (await task.evaluate(refuseStopped))[metric];
    const [before, size] = [await measure(), parameters.countParameters()];
    const [trained, moments] = [await parameters.toHost(), await optimizer.toHost()];
    useSize(grown + 1, ({ grow }) => parameters.replace(grow(grown + 1, trained)));
    if (stage.optimizer === 'keep')
      optimizer.loadPadded(growth.growMoments(grown, moments), 'the moments before the growth');
    else {
      optimizer.reset();
      state = { ...state, optimizerStep: 0 };
    }
    const after = await measure();
    const count = parameters.countParameters();
    tracker.log(state.step + 1, { 'growth/parameters': count, 'growth/before': before, 'growth/after': after });
    const [from, to] = [size, count].map((n) => n.toLocaleString('en-US'));
    progress.line(
      `${run.label} step ${state.step}: grown from ${from} to ${to} parameters (${stage.policy}); ${metric.replace('/', ' ')} ${before.toFixed(4)} before, ${after.toFixed(4)} after`,
    );
  };
  /** What is due after a step: an evaluation, a checkpoint. */
  const concludeStep = async (): Promise<void> => {
    const improved = isEvaluated(state.step, config) && (await evaluate());
    const asked = interruption.takeCheckpointRequest();
    if (improved || asked || state.step % config.checkpointEvery === 0 || isOver(state, config)) {
      await checkpoint(improved);
    }
    if (asked) progress.line(`${run.label} step ${state.step}: checkpoint written for SIGUSR1`);
  };
  try {
    if (restored === undefined) {
      const improved = await evaluate();
      if (config.steps === 0) state = { ...state, bestValue: last[task.selectBy.metric], bestStep: 0 };
      if (improved || config.steps === 0) await checkpoint(true);
    } else if (lacksEvaluation(runDir, state, config)) {
      await concludeStep();
    } else if (isOver(state, config)) {
      last = await task.evaluate(() => undefined);
    }
    for (let step = state.step + 1; !isOver(state, config); step++) {
      // Lets messages through when the engine computes on this thread.
      await setImmediate();
      if (isStopped(run)) await stop();
      await growIfDue();
      const started = performance.now();
      const optimizerStep = state.optimizerStep === undefined ? undefined : state.optimizerStep + 1;
      const { loss, gradientNorm, units, flops, dataSeconds } = await trainStep(task, config, optimizer, {
        step,
        optimizerStep,
        savedStep,
        recordings,
      });
      task.teacher?.follow(step);
      const seconds = (performance.now() - started) / 1000;
      if (step % config.logEvery === 0 || step === 1 || step === config.steps) {
        const learningRate = learningRateAt(step, config);
        tracker.log(step, {
          'train/loss': loss,
          'train/gradientNorm': gradientNorm,
          'train/learningRate': learningRate,
        });
        tracker.timing(step, {
          stepSeconds: seconds,
          [`${task.unit}PerSecond`]: units / seconds,
          dataShare: dataSeconds / seconds,
        });
      }
      progress.update(step, { loss, unitsPerSecond: units / seconds });
      state = {
        ...state,
        step,
        dataPosition: step * config.gradientAccumulation,
        ...(optimizerStep && { optimizerStep }),
        ...(state.units !== undefined && { units: state.units + units }),
        ...(state.flops !== undefined && { flops: state.flops + flops }),
      };
      await concludeStep();
    }
    const { step, bestStep, bestValue } = state;
    if (bestValue !== null) tracker.result(step, { [`best/${selected}`]: bestValue });
    if (step < config.steps && step !== restored?.step) {
      const best = `${task.selectBy.metric} is best at step ${bestStep}, ${bestValue?.toFixed(4)}`;
      progress.line(`${run.label} ends early at step ${step}: ${best} (patience ${config.patience})`);
    }
  } catch (error) {
    if (error instanceof StoppedEvaluation) await stop();
    throw error;
  } finally {
    progress.done();
    tracker.close();
    recordings.dispose();
    optimizer.dispose();
  }
  return { steps: state.step, bestStep: state.bestStep ?? 0, bestValue: state.bestValue ?? Number.NaN, last };
}

/** Ends an evaluation; the checkpoint of its step is written without it, and resuming makes it up. */
class StoppedEvaluation extends Error {}

function isStopped({ signal }: TrainingRun): boolean {
  return interruption.signal !== undefined || signal?.aborted === true;
}

async function save(run: TrainingRun, optimizer: AdamW, state: TrainingState, isBest: boolean): Promise<void> {
  const name = `step-${String(state.step).padStart(7, '0')}`;
  writeCheckpoint(
    join(run.runDir, 'checkpoints', name),
    { model: run.model, tensors: await run.task.parameters.toHost(), assets: run.assets },
    {
      optimizer: await optimizer.toHost(),
      teacher: await run.task.teacher?.toHost(),
      state: orderedState(state),
    },
  );
  pointAt(run.runDir, isBest ? ['best', 'last'] : ['last'], name);
}
