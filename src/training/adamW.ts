import { tf } from '#src/engine';
import { UserError } from '#src/errors';
import { type AdamWParameter, adamWUpdate } from '#src/kernels';
import type { HostTensor } from '#src/storage';
import type { ParameterTree } from '#src/tokenformer';
import type { TrainingConfig } from './config.js';
import { type LearningRates, learningRates } from './learningRates.js';

/** First and second moment. */
type Moments = Pick<AdamWParameter, 'm' | 'v'>;

type AdamWConfig = Pick<TrainingConfig, 'beta1' | 'beta2' | 'adamEpsilon' | 'weightDecay' | 'learningRates'>;

const FIRST = '/adamM';
const SECOND = '/adamV';

/** At most so many problems of a file are listed. */
const MAX_PROBLEMS = 10;

/**
 * AdamW with its state keyed by parameter name: a frozen, added or removed parameter never takes another's moments.
 */
export class AdamW {
  readonly #moments = new Map<string, Moments>();
  /** The file that the moments come from, until the first step after it. */
  #loadedFrom: string | undefined;
  #rates: LearningRates;

  constructor(
    private readonly parameters: ParameterTree,
    private readonly config: AdamWConfig,
  ) {
    this.#rates = learningRates(config.learningRates, undefined);
  }

  /**
   * Says how many rows of each parameter were trained before the last growth, for learning rates of old and new tokens; a parameter that
   * is not named is new.
   */
  useOldRows(oldRows: ReadonlyMap<string, number>): void {
    this.#rates.dispose();
    this.#rates = learningRates(this.config.learningRates, oldRows);
  }

  /**
   * One step on every trainable parameter that has a gradient.
   *
   * @param gradientScale multiplies every gradient: 1/weight of the batch times the clipping factor
   * @param step counts from 1
   */
  apply(gradients: ReadonlyMap<string, tf.Tensor>, learningRate: number, gradientScale: number, step: number): void {
    const { beta1, beta2, adamEpsilon, weightDecay } = this.config;
    this.#refuseMissing([...gradients.keys()]);
    const byFactor = new Map<number, AdamWParameter[]>();
    const names = new Map<string, tf.Variable>();
    for (const [name, gradient] of gradients) {
      const param = this.parameters.variable(name);
      const decay = isDecayed(name, param.shape) ? weightDecay : 0;
      const parameter = { param, gradient, ...this.#momentsOf(name, param.shape), weightDecay: decay };
      const factor = this.#rates.factorOf(name, param);
      byFactor.set(factor, [...(byFactor.get(factor) ?? []), parameter]);
      names.set(name, param);
    }
    const settings = { beta1, beta2, epsilon: adamEpsilon, step, gradientScale };
    this.#rates.scaleRows(names, () => {
      for (const [factor, parameters] of byFactor) {
        adamWUpdate(parameters, { ...settings, learningRate: learningRate * factor });
      }
    });
  }

  /** Which parameters get a gradient, and so have moments, shows only in a step: those that no loss depends on have none. */
  #refuseMissing(names: readonly string[]): void {
    const missing = this.#loadedFrom === undefined ? [] : names.filter((name) => !this.#moments.has(name));
    if (missing.length > 0) {
      const more = missing.length > 1 ? ` and of ${missing.length - 1} more` : '';
      throw new UserError(`${this.#loadedFrom}: has no moments of '${missing[0]}'${more}; cannot resume from it`);
    }
    this.#loadedFrom = undefined;
  }

  #momentsOf(name: string, shape: number[]): Moments {
    const moments = this.#moments.get(name) ?? { m: ownVariable(tf.zeros(shape)), v: ownVariable(tf.zeros(shape)) };
    this.#moments.set(name, moments);
    return moments;
  }

  /** Moments as `<parameter>/adamM` and `<parameter>/adamV`. */
  async toHost(): Promise<Map<string, HostTensor>> {
    const tensors = new Map<string, HostTensor>();
    for (const [name, { m, v }] of this.#moments) {
      tensors.set(`${name}${FIRST}`, { shape: m.shape, values: Float32Array.from(await m.data()) });
      tensors.set(`${name}${SECOND}`, { shape: v.shape, values: Float32Array.from(await v.data()) });
    }
    return tensors;
  }

  /**
   * Takes over saved moments, those of trainable parameters in their shapes.
   *
   * @param where the file that they come from, for error messages
   * @throws UserError with one line per problem
   */
  load(tensors: ReadonlyMap<string, HostTensor>, where: string): void {
    const problems = momentProblems(tensors, this.parameters).map((problem) => `${where}: ${problem}`);
    if (problems.length > 0) throw new UserError(problems.slice(0, MAX_PROBLEMS).join('\n'));
    for (const [key, first] of tensors) {
      if (!key.endsWith(FIRST)) continue;
      const name = key.slice(0, -FIRST.length);
      const toVariable = ({ shape, values }: HostTensor): tf.Variable =>
        ownVariable(tf.tensor(values as Float32Array, [...shape], 'float32'));
      this.#moments.set(name, { m: toVariable(first), v: toVariable(tensors.get(`${name}${SECOND}`) as HostTensor) });
    }
    this.#loadedFrom = where;
  }

  /**
   * Takes over the moments of a smaller model, or of one with other parameters: zeros for tokens and parameters that had none.
   *
   * @param where the file that they come from, for error messages
   * @throws UserError when a moment does not fit into its parameter
   */
  loadPadded(tensors: ReadonlyMap<string, HostTensor>, where: string): void {
    const shapes = this.parameters.shapes();
    const trainable = this.parameters.trainableNames().map((name) => [name, shapes.get(name)?.shape ?? []] as const);
    this.#clear();
    this.load(padMoments(tensors, new Map(trainable), where), where);
  }

  /** Starts anew, without moments. */
  reset(): void {
    this.#clear();
    this.#loadedFrom = undefined;
  }

  dispose(): void {
    this.#clear();
    this.#rates.dispose();
  }

  #clear(): void {
    for (const { m, v } of this.#moments.values()) tf.dispose([m, v]);
    this.#moments.clear();
  }
}

/**
 * Moments in the shapes of a larger model: zeros for every token and every parameter that had none.
 *
 * @param moments as `toHost` gives them
 * @param shapes of the larger model's trainable parameters
 * @param where the file that the moments come from, for error messages
 */
export function padMoments(
  moments: ReadonlyMap<string, HostTensor>,
  shapes: ReadonlyMap<string, readonly number[]>,
  where: string,
): Map<string, HostTensor> {
  const padded = new Map<string, HostTensor>();
  for (const [name, shape] of shapes) {
    for (const suffix of [FIRST, SECOND]) {
      const values = new Float32Array(shape.reduce((product, n) => product * n, 1));
      const old = moments.get(`${name}${suffix}`);
      if (old && (old.values.length > values.length || String(old.shape.slice(1)) !== String(shape.slice(1)))) {
        throw new UserError(`${where}: '${name}${suffix}': expected at most [${shape}], got [${old.shape}]`);
      }
      values.set(old?.values ?? []);
      padded.set(`${name}${suffix}`, { shape, values });
    }
  }
  return padded;
}

/** What keeps saved moments from being those of the trainable parameters. */
function momentProblems(tensors: ReadonlyMap<string, HostTensor>, parameters: ParameterTree): string[] {
  const trainable = new Set(parameters.trainableNames());
  return [...tensors].flatMap(([key, { shape, values }]) => {
    const suffix = [FIRST, SECOND].find((end) => key.endsWith(end));
    const name = suffix === undefined ? undefined : key.slice(0, -suffix.length);
    if (name === undefined || !trainable.has(name)) return [`'${key}': expected a moment of a trainable parameter`];
    const expected = parameters.variable(name).shape;
    if (String(expected) !== String(shape)) return [`'${key}': expected [${expected}], got [${shape}]`];
    if (!(values instanceof Float32Array)) return [`'${key}': expected float32 (F32), got whole numbers`];
    const other = `${name}${suffix === FIRST ? SECOND : FIRST}`;
    if (!tensors.has(other)) return [`has no '${other}' beside '${key}'`];
    const negative = suffix === SECOND ? values.findIndex((value) => value < 0) : -1;
    return negative < 0 ? [] : [`'${key}': expected numbers of at least 0, got ${values[negative]} at ${negative}`];
  });
}

/** Turns a tensor into a variable and disposes it. */
function ownVariable(initial: tf.Tensor): tf.Variable {
  const variable = tf.variable(initial, false);
  initial.dispose();
  return variable;
}

/** Matrices decay; norms, biases, gates, positions and the class token do not. */
export function isDecayed(name: string, shape: readonly number[]): boolean {
  return shape.length >= 2 && !/(positionEmbedding|classToken|maskToken)$/.test(name);
}
