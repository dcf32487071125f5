import { tf } from '#src/engine';
import { type AdamWParameter, adamWUpdate } from '#src/kernels';
import type { HostTensor } from '#src/storage';
import type { ParameterTree } from '#src/tokenformer';
import type { TrainingConfig } from './config.js';

/** First and second moment. */
type Moments = Pick<AdamWParameter, 'm' | 'v'>;

type AdamWConfig = Pick<TrainingConfig, 'beta1' | 'beta2' | 'adamEpsilon' | 'weightDecay'>;

/**
 * AdamW with its state keyed by parameter name: a frozen, added or removed parameter never takes another's moments.
 */
export class AdamW {
  readonly #moments = new Map<string, Moments>();

  constructor(
    private readonly parameters: ParameterTree,
    private readonly config: AdamWConfig,
  ) {}

  /**
   * One step on every trainable parameter that has a gradient.
   *
   * @param gradientScale multiplies every gradient: 1/weight of the batch times the clipping factor
   * @param step counts from 1
   */
  apply(gradients: ReadonlyMap<string, tf.Tensor>, learningRate: number, gradientScale: number, step: number): void {
    const { beta1, beta2, adamEpsilon, weightDecay } = this.config;
    const parameters = Array.from(gradients, ([name, gradient]) => {
      const param = this.parameters.variable(name);
      const decay = isDecayed(name, param.shape) ? weightDecay : 0;
      return { param, gradient, ...this.#momentsOf(name, param.shape), weightDecay: decay };
    });
    adamWUpdate(parameters, { learningRate, beta1, beta2, epsilon: adamEpsilon, step, gradientScale });
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
      tensors.set(`${name}/adamM`, { shape: m.shape, values: Float32Array.from(await m.data()) });
      tensors.set(`${name}/adamV`, { shape: v.shape, values: Float32Array.from(await v.data()) });
    }
    return tensors;
  }

  /** Takes over saved moments. */
  load(tensors: ReadonlyMap<string, HostTensor>): void {
    for (const [key, first] of tensors) {
      if (!key.endsWith('/adamM')) continue;
      const name = key.slice(0, -'/adamM'.length);
      const second = tensors.get(`${name}/adamV`);
      if (second === undefined) throw new Error(`AdamW: expected '${name}/adamV' next to '${key}'`);
      const toVariable = ({ shape, values }: HostTensor): tf.Variable =>
        ownVariable(tf.tensor(values as Float32Array, [...shape], 'float32'));
      this.#moments.set(name, { m: toVariable(first), v: toVariable(second) });
    }
  }

  dispose(): void {
    for (const { m, v } of this.#moments.values()) tf.dispose([m, v]);
    this.#moments.clear();
  }
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
