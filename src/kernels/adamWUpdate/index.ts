import { tf } from '#src/engine';
import { type AdamWStepSettings, adamWStep } from '../adamWStep/index.js';
import { hasFastKernel, runFastKernel } from '../fusedOp.js';

/** A parameter, its gradient and its moments. */
export interface AdamWParameter {
  readonly param: tf.Variable;
  readonly gradient: tf.Tensor;
  readonly m: tf.Variable;
  readonly v: tf.Variable;
  readonly weightDecay: number;
}

/**
 * One AdamW step on many parameters at once: `param`, `m` and `v` of each take the values that `adamWStep` gives.
 *
 * An engine may bring a kernel `AdamWUpdate` (all params, gradients, m, v, in this order; attributes as of `AdamWStep`,
 * but `weightDecays`, one per parameter) that writes them where they lie and returns nothing.
 */
export function adamWUpdate(
  parameters: readonly AdamWParameter[],
  settings: Omit<AdamWStepSettings, 'weightDecay'>,
): void {
  if (!hasFastKernel('AdamWUpdate')) {
    for (const { param, gradient, m, v, weightDecay } of parameters) {
      const next = adamWStep(param, gradient, m, v, { ...settings, weightDecay });
      param.assign(next.param);
      m.assign(next.m);
      v.assign(next.v);
      tf.dispose(next);
    }
    return;
  }
  for (const { param, m, v } of parameters) for (const variable of [param, m, v]) separate(variable);
  const tensors = (['param', 'gradient', 'm', 'v'] as const).flatMap((name) => parameters.map((each) => each[name]));
  const weightDecays = parameters.map(({ weightDecay }) => weightDecay);
  runFastKernel('AdamWUpdate', tensors, { ...settings, weightDecays });
}

/** Gives a variable values of its own where it shares them with a clone or a reshaped tensor, which must keep theirs. */
function separate(variable: tf.Variable): void {
  if (tf.engine().backend.refCount(variable.dataId) <= 1) return;
  const copy = tf.tidy(() => tf.mul(variable, 1));
  variable.assign(copy);
  copy.dispose();
}
