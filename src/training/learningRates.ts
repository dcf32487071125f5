import { tf } from '#src/engine';
import type { LearningRate } from './config.js';

/** Learning rates that differ between parameters, and between the rows of one. */
export interface LearningRates {
  /** What the learning rate of a whole parameter is multiplied by. */
  factorOf(name: string, variable: tf.Variable): number;
  /**
   * Runs `update`, which changes the variables in place, and scales what it changed row by row:
   *
   *   p ← p + F ⊙ (p' − p)      F [rows, 1]: the factor of old or new tokens
   *
   * AdamW's change is proportional to its learning rate, so this is a learning rate of each row's own.
   */
  scaleRows(variables: ReadonlyMap<string, tf.Variable>, update: () => void): void;
  dispose(): void;
}

/**
 * @param rates as configured
 * @param oldRows rows of each parameter that were trained before the last growth; all of one that is not named are new. Undefined
 *   before any growth: there are neither old nor new tokens.
 */
export function learningRates(
  rates: readonly LearningRate[] | undefined = [],
  oldRows: ReadonlyMap<string, number> | undefined,
): LearningRates {
  const product = (name: string, fits: (rate: LearningRate) => boolean): number =>
    rates
      .filter((rate) => (rate.names === undefined || name.includes(rate.names)) && fits(rate))
      .reduce((factor, rate) => factor * rate.factor, 1);
  const ofOld = (name: string): number => product(name, ({ tokens }) => tokens !== 'new');
  const ofNew = (name: string): number => product(name, ({ tokens }) => tokens !== 'old');
  const ofAll = (name: string): number => product(name, ({ tokens }) => tokens === undefined);
  const rowFactors = new Map<string, tf.Tensor>();
  /** Undefined where all rows are alike. */
  const rowsOf = (name: string, { shape }: tf.Variable): tf.Tensor | undefined => {
    const old = oldRows?.get(name);
    if (old === undefined || old >= (shape[0] ?? 1) || ofOld(name) === ofNew(name)) return undefined;
    const known = rowFactors.get(name);
    if (known) return known;
    const factors = Float32Array.from({ length: shape[0] }, (_, row) => (row < old ? ofOld(name) : ofNew(name)));
    const tensor = tf.keep(tf.tensor(factors, [shape[0], ...shape.slice(1).map(() => 1)]));
    rowFactors.set(name, tensor);
    return tensor;
  };
  return {
    factorOf: (name, variable) => {
      if (oldRows === undefined) return ofAll(name);
      if (rowsOf(name, variable)) return 1;
      return oldRows.has(name) ? ofOld(name) : ofNew(name);
    },
    scaleRows: (variables, update) => {
      const mixed = [...variables].flatMap(([name, variable]) => {
        const factors = rowsOf(name, variable);
        return factors ? [{ variable, factors, before: tf.tidy(() => tf.mul(variable, 1)) }] : [];
      });
      update();
      for (const { variable, factors, before } of mixed) {
        const scaled = tf.tidy(() => tf.add(before, tf.mul(factors, tf.sub(variable, before))));
        variable.assign(scaled);
        tf.dispose([scaled, before]);
      }
    },
    dispose: () => {
      tf.dispose([...rowFactors.values()]);
      rowFactors.clear();
    },
  };
}
