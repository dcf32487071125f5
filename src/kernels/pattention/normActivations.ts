import { tf } from '#src/engine';
import { ConfigError, didYouMean } from '#src/errors';
import { type Gelu, gelu, geluDerivative } from '../gelu.js';

/** Settings of Θ, besides the scores. */
export interface NormActivationSettings {
  readonly gelu: Gelu;
  /** Added to ‖·‖₂; 0 in the official GPU code, 1e-5 in the official TPU code. */
  readonly epsilon: number;
  /** Stored scale τ of the group; set when the group is created, never recomputed from n. */
  readonly tau: number;
}

/**
 * A norm activation Θ: how the scores A = X Kᵀ of one group of n parameter tokens become the weights of its values, row by
 * row. A row of zeros must give finite weights and a finite gradient.
 */
export interface NormActivation {
  /** The value of `normActivation` in configurations, in camelCase. */
  readonly name: string;
  /** In one line. */
  readonly description: string;
  /** Θ(A) = … */
  readonly equation: string;
  /** Where it was published. */
  readonly source?: string;
  /**
   * S = Θ(A).
   *
   * @param scores A, [tokens, n]
   * @returns [tokens, n]
   */
  weights(scores: tf.Tensor, settings: NormActivationSettings): tf.Tensor;
  /**
   * dA from dS, both [tokens, n]. Without it TensorFlow.js differentiates `weights`, which then must be made of operations
   * that have a gradient (comparisons have none).
   */
  gradient?(dWeights: tf.Tensor, scores: tf.Tensor, settings: NormActivationSettings): tf.Tensor;
  /** τ of a new group of n parameter tokens. */
  tau(numParamTokens: number): number;
  /** τ of several groups under one norm, from their own. Without it Θ cannot be used with the fusion method `union`. */
  unionTau?(taus: readonly number[]): number;
  /**
   * τ of a part of a group that writes what these tokens wrote in the whole, given the part's shares of Σ A² and of Σ |S| over typical
   * tokens. Without it τ stays.
   */
  partTau?(tau: number, shares: { readonly squaredScores: number; readonly weights: number }): number;
  /** Whether tokens with zero keys, appended while τ stays, leave the output as it was: Θ([A 0]) = [Θ(A) 0]. */
  readonly exactZeroKeys: boolean;
}

/** The τ of a norm of length √n; of groups under one norm √(Σ τ_g²), which is √n when every τ_g is √n_g. */
const LENGTH_TAU = {
  tau: (numParamTokens: number): number => Math.sqrt(numParamTokens),
  unionTau: (taus: readonly number[]): number => Math.hypot(...taus),
};

const rowSum = (t: tf.Tensor): tf.Tensor => tf.sum(t, -1, true); // [tokens, 1]

/** The factor τ / (‖a‖₂ + ε) of every row, [tokens, 1], 0 for a row of zeros; and da from dZ of Z = factor · a. */
function l2Norm(
  a: tf.Tensor,
  { tau, epsilon }: NormActivationSettings,
): { factor: tf.Tensor; gradient: (dScaled: tf.Tensor) => tf.Tensor } {
  const norm = tf.sqrt(rowSum(tf.square(a))); // [tokens, 1]
  const q = tf.add(norm, epsilon);
  const factor = tf.divNoNan(tf.scalar(tau), q);
  return {
    factor,
    gradient: (dScaled) => {
      const along = tf.divNoNan(tf.mul(factor, rowSum(tf.mul(a, dScaled))), tf.mul(q, norm)); // [tokens, 1]
      return tf.sub(tf.mul(factor, dScaled), tf.mul(a, along));
    },
  };
}

const OFFICIAL = 'TokenFormer, arXiv 2410.23168, eq. 4 and 16; megatron/model/tokenformer.py at 4d56c73';

/** dA = τ/q dZ − τ A <A, dZ> / (q² ‖A‖) with q = ‖A‖ + ε, Z = τ A/q, dZ = dS GELU'(Z), <·,·> along a row. */
const l2NormGelu: NormActivation = {
  name: 'l2NormGelu',
  description: 'L2 norm of the scores, then GELU',
  equation: 'Θ(A) = GELU( τ A / (‖A‖₂ + ε) )',
  source: OFFICIAL,
  weights: (scores, settings) => gelu(tf.mul(scores, l2Norm(scores, settings).factor), settings.gelu),
  gradient: (dWeights, scores, settings) => {
    const { factor, gradient } = l2Norm(scores, settings);
    return gradient(tf.mul(dWeights, geluDerivative(tf.mul(scores, factor), settings.gelu)));
  },
  ...LENGTH_TAU,
  // The norm of the part is smaller by the root of its share.
  partTau: (tau, { squaredScores }) => tau * Math.sqrt(squaredScores),
  exactZeroKeys: true,
};

/** dA = dG GELU'(A), where dG comes from dS as dA from dZ above, with G for A. */
const geluL2Norm: NormActivation = {
  name: 'geluL2Norm',
  description: 'GELU of the scores, then the L2 norm',
  equation: 'Θ(A) = τ G / (‖G‖₂ + ε),  G = GELU(A)',
  source: OFFICIAL,
  weights: (scores, settings) => {
    const activated = gelu(scores, settings.gelu);
    return tf.mul(activated, l2Norm(activated, settings).factor);
  },
  gradient: (dWeights, scores, settings) => {
    const { gradient } = l2Norm(gelu(scores, settings.gelu), settings);
    return tf.mul(gradient(dWeights), geluDerivative(scores, settings.gelu));
  },
  ...LENGTH_TAU,
  exactZeroKeys: true,
};

/** dA = τ p (dS − <p, dS>) with p = softmax(A). Its τ is a sum of weights, not a length: no τ for a union. */
const softmax: NormActivation = {
  name: 'softmax',
  description: 'softmax of the scores, times τ',
  equation: 'Θ(A) = τ softmax(A)',
  source: OFFICIAL,
  weights: (scores, { tau }) => tf.mul(tf.softmax(scores), tau),
  gradient: (dWeights, scores, { tau }) => {
    const p = tf.softmax(scores);
    return tf.mul(tf.mul(p, tf.sub(dWeights, rowSum(tf.mul(p, dWeights)))), tau);
  },
  tau: (numParamTokens) => numParamTokens,
  partTau: (tau, { weights }) => tau * weights,
  exactZeroKeys: false,
};

/** The identity, for single groups that are low-rank linear maps (`norm: 'linear'`); not for whole models. */
const linear: NormActivation = {
  name: 'linear',
  description: 'none: the group is a linear map of rank n',
  equation: 'Θ(A) = A',
  weights: (scores) => scores,
  gradient: (dWeights) => dWeights,
  tau: LENGTH_TAU.tau,
  exactZeroKeys: true,
};

/** No norm: with it a Pattention is an MLP of n hidden units, as standard Transformer blocks have it; not for whole models. */
const plainGelu: NormActivation = {
  name: 'gelu',
  description: 'GELU alone',
  equation: 'Θ(A) = GELU(A)',
  weights: (scores, settings) => gelu(scores, settings.gelu),
  gradient: (dWeights, scores, settings) => tf.mul(dWeights, geluDerivative(scores, settings.gelu)),
  tau: () => 1,
  exactZeroKeys: true,
};

/** Those without a norm, which no configuration names. */
const WITHOUT_NORM = new Map([linear, plainGelu].map((entry) => [entry.name, entry]));

const builtIn = [l2NormGelu, geluL2Norm, softmax];

/** Every Θ that a configuration may name; `registerNormActivation` adds to it. */
export const NORM_ACTIVATIONS = new Map(builtIn.map((entry) => [entry.name, entry]));

/** Whether a Θ is part of this project, and not of a plugin. */
export function isBuiltInNormActivation(name: string): boolean {
  return WITHOUT_NORM.has(name) || builtIn.some((entry) => entry.name === name);
}

/** The names that `normActivation` may have in a configuration: the built-in ones, then the registered ones. */
export function normActivationNames(): string[] {
  return [...NORM_ACTIVATIONS.keys()];
}

/** Whether a Θ of that name exists, those without a norm included. */
export function isNormActivation(name: string): boolean {
  return WITHOUT_NORM.has(name) || NORM_ACTIVATIONS.has(name);
}

/**
 * The Θ of that name.
 *
 * @throws ConfigError with the known names
 */
export function findNormActivation(name: string): NormActivation {
  const entry = WITHOUT_NORM.get(name) ?? NORM_ACTIVATIONS.get(name);
  if (entry === undefined) {
    const names = normActivationNames();
    throw new ConfigError(
      `normActivation: expected ${names.join(', ')}; got '${name}'${didYouMean(name, names)}; --plugin <file> registers one of your own`,
    );
  }
  return entry;
}
