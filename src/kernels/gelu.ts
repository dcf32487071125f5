import { tf } from '#src/engine';

/** `erf`: x Φ(x), the official GPU code; `tanh`: its approximation, the official TPU code (at most 5e-4 apart). */
export type Gelu = 'erf' | 'tanh';

const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715;

/** GELU(z) = z Φ(z), Φ the normal distribution function; element-wise. */
export function gelu(z: tf.Tensor, kind: Gelu): tf.Tensor {
  return tf.tidy(() => tf.mul(z, distribution(z, kind)));
}

/** GELU'(z) = Φ(z) + z φ(z), or the derivative of the tanh form. */
export function geluDerivative(z: tf.Tensor, kind: Gelu): tf.Tensor {
  return tf.tidy(() => {
    if (kind === 'erf') {
      const density = tf.mul(tf.exp(tf.mul(tf.square(z), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return tf.add(distribution(z, kind), tf.mul(z, density));
    }
    const t = tf.tanh(tanhArgument(z));
    const inner = tf.mul(tf.add(tf.mul(tf.square(z), 3 * TANH_CUBIC), 1), TANH_SCALE);
    const slope = tf.mul(tf.mul(z, 0.5), tf.mul(tf.sub(1, tf.square(t)), inner));
    return tf.add(tf.mul(tf.add(t, 1), 0.5), slope);
  });
}

function distribution(z: tf.Tensor, kind: Gelu): tf.Tensor {
  const s = kind === 'erf' ? tf.erf(tf.mul(z, Math.SQRT1_2)) : tf.tanh(tanhArgument(z));
  return tf.mul(tf.add(s, 1), 0.5);
}

function tanhArgument(z: tf.Tensor): tf.Tensor {
  return tf.mul(tf.mul(z, tf.add(tf.mul(tf.square(z), TANH_CUBIC), 1)), TANH_SCALE);
}
