import { alignModel, evaluateModel, trainLanguageModel, trainVisionModel, tuneModel } from './internal/training.js';

/** An experiment as its YAML file has it, `kind` may be left out: `parse(readFileSync('align.yaml', 'utf8'))` of npm `yaml`. */
export type Experiment = Readonly<Record<string, unknown>>;

/** What is read of an `AbortSignal`, which fits. */
export interface StopSignal {
  readonly aborted: boolean;
  /** What the run rejects with. */
  readonly reason?: unknown;
}

/** Where a run writes, and where it starts from. */
export interface RunOptions {
  /** The run directory: checkpoints, metrics.jsonl, TensorBoard events. */
  readonly out: string;
  /** Paths in the experiment start here; the working directory by default. */
  readonly root?: string;
  /** Packed images and tokens; `.tokenfuse/cache` by default. */
  readonly cacheDir?: string;
  /** Go on from the last checkpoint in `out`. False by default. */
  readonly resume?: boolean;
  /** As `resume`, and `training.steps` or `training.patience` may be larger than before. False by default. */
  readonly extend?: boolean;
  /** Move what is at `out` aside, to a name that ends in `.old-1`, and start anew. False by default. */
  readonly overwrite?: boolean;
  /** Receives the lines that the command would print; silent by default. */
  readonly log?: (line: string) => void;
  /** Ends training after its step, with a checkpoint to `resume` from; the promise is rejected with the signal's reason. */
  readonly signal?: StopSignal;
}

/** What a training run ended with. */
export interface TrainingResult {
  /** Optimizer steps. */
  readonly steps: number;
  /** Step of the best checkpoint, by the validation metric. */
  readonly bestStep: number;
  /** The metric's value there. */
  readonly bestValue: number;
  /** Metrics of the last evaluation, by name. */
  readonly last: Readonly<Record<string, number>>;
}

/** What a tuning ended with. */
export interface TuneResult extends TrainingResult {
  /** The file of the group, for `attachGroup`; null where all parameters were trained. */
  readonly group: string | null;
  /** Scalar parameters that were trained. */
  readonly trainableParameters: number;
}

/** A score, in the interval that holds 95 % of its bootstrap distribution over images. */
export interface ScoreInterval {
  readonly low: number;
  readonly high: number;
}

/** Scores of the model, or of one of its controls, on one test set. */
export interface EvaluationRow {
  /** `model`, or the control (docs/evaluation.md). */
  readonly name: string;
  /** nats per token over all references; null where no model weighs the captions. */
  readonly captionNll: number | null;
  /** In [0, 1]. */
  readonly bleu1: number;
  /** In [0, 1]. */
  readonly bleu4: number;
  /** In [0, 1]. */
  readonly meteorExactStem: number;
  /** In [0, 1]. */
  readonly rougeL: number;
  /** In [0, 10]. */
  readonly ciderD: number;
  /** 95 % intervals by the name of the score. */
  readonly intervals: Readonly<Partial<Record<string, ScoreInterval>>>;
}

/** What an evaluation found; predictions and all else are in the folder `out`. */
export interface EvaluationResult {
  /** One entry per test set. */
  readonly sets: readonly {
    readonly name: string;
    readonly numImages: number;
    readonly rows: readonly EvaluationRow[];
  }[];
}

/**
 * Pretrains a vision backbone, as `tokenfuse train` with an experiment of kind vision.
 *
 * @throws ConfigError with one line per problem of the experiment, or when `out` holds another run
 * @throws UserError when data are missing or broken
 * @example
 * ```ts
 * const { bestValue } = await trainVision(parse(readFileSync('vision.yaml', 'utf8')), { out: 'runs/vision' });
 * ```
 */
export function trainVision(experiment: Experiment, options: RunOptions): Promise<TrainingResult> {
  return trainVisionModel(experiment, options);
}

/**
 * Pretrains a language backbone, as `tokenfuse train` with an experiment of kind language.
 *
 * @throws ConfigError with one line per problem of the experiment, or when `out` holds another run
 * @throws UserError when data are missing or broken
 * @example
 * ```ts
 * await trainLanguage(parse(readFileSync('language.yaml', 'utf8')), { out: 'runs/language', log: console.log });
 * ```
 */
export function trainLanguage(experiment: Experiment, options: RunOptions): Promise<TrainingResult> {
  return trainLanguageModel(experiment, options);
}

/**
 * Trains a group of parameter tokens for a task beside a frozen backbone, as `tokenfuse tune`.
 *
 * @throws ConfigError with one line per problem of the experiment, or when `out` holds another run
 * @throws UserError when data are missing or broken
 * @example
 * ```ts
 * const { group } = await tune(parse(readFileSync('tune.yaml', 'utf8')), { out: 'runs/verse' });
 * ```
 */
export function tune(experiment: Experiment, options: RunOptions): Promise<TuneResult> {
  return tuneModel(experiment, options);
}

/**
 * Aligns a merged model on image-caption pairs, as `tokenfuse align`: trains the bridge groups, the backbones stay frozen.
 *
 * @throws ConfigError with one line per problem of the experiment, or when `out` holds another run
 * @throws UserError when data are missing or broken
 * @example
 * ```ts
 * await align(parse(readFileSync('align.yaml', 'utf8')), { out: 'runs/align' });
 * ```
 */
export function align(experiment: Experiment, options: RunOptions): Promise<TrainingResult> {
  return alignModel(experiment, options);
}

/**
 * Captions test sets and scores the captions together with their controls, as `tokenfuse evaluate` does, without its HTML report.
 *
 * @throws ConfigError with one line per problem of the experiment
 * @throws UserError when the model or data are missing or broken
 * @example
 * ```ts
 * const { sets } = await evaluate(parse(readFileSync('evaluate.yaml', 'utf8')), { out: 'runs/evaluate' });
 * console.log(sets[0].rows[0].ciderD);
 * ```
 */
export function evaluate(
  experiment: Experiment,
  options: Omit<RunOptions, 'resume' | 'extend' | 'signal'>,
): Promise<EvaluationResult> {
  return evaluateModel(experiment, options);
}
