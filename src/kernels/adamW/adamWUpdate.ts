import { tf } from '#src/engine';
import { hasFastKernel, runFastKernel } from '../fastKernel.js';
import { type AdamWStepSettings, adamWStep } from './adamWStep.js';

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
 * An engine's kernel `AdamWUpdate` updates them in place.
 */
export function adamWUpdate(
  parameters: readonly AdamWParameter[],
  settings: Omit<AdamWStepSettings, 'weightDecay'>,
): void {
  const attributes = { ...settings, weightDecays: parameters.map(({ weightDecay }) => weightDecay) };
  if (!hasFastKernel('AdamWUpdate', attributes)) {
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
  const inputs = {
    params: parameters.map(({ param }) => param),
    gradients: parameters.map(({ gradient }) => gradient),
    m: parameters.map(({ m }) => m),
    v: parameters.map(({ v }) => v),
  };
  runFastKernel('AdamWUpdate', inputs, attributes);
}

/** Gives a variable its own values if it shares them with a clone or a reshaped tensor, which must keep theirs. */
function separate(variable: tf.Variable): void {
  if (tf.engine().backend.refCount(variable.dataId) <= 1) return;
  const copy = tf.tidy(() => tf.mul(variable, 1));
  variable.assign(copy);
  copy.dispose();
}
