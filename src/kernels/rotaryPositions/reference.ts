import { tf } from '#src/engine';

/** Rotary positions on the first `rotaryDims` of every head. */
export interface RotarySettings {
  readonly numHeads: number;
  /** Even; the official code takes the first quarter of the head. */
  readonly rotaryDims: number;
  /** Position of the first token. */
  readonly startPosition: number;
  /** θ of the frequencies θ^(−2i/rotaryDims); 10000 in the official code. */
  readonly base: number;
}

/** Angles [seqLen, rotaryDims/2]: (startPosition + t) · base^(−2i/rotaryDims). */
function rotaryAngles(seqLen: number, { rotaryDims, startPosition, base }: RotarySettings): Float32Array {
  const half = rotaryDims / 2;
  const angles = new Float32Array(seqLen * half);
  for (let t = 0; t < seqLen; t++) {
    for (let i = 0; i < half; i++) angles[t * half + i] = (startPosition + t) * base ** ((-2 * i) / rotaryDims);
  }
  return angles;
}

/**
 * The definition in plain operations: with a head split into [a, b, rest], a and b of rotaryDims/2 each,
 *
 *   [a cos − b sin, b cos + a sin, rest]
 *
 * Source: RoFormer, arXiv 2104.09864, in the half-split form of GPT-NeoX. `direction` −1 rotates back: the gradient.
 *
 * @param x [batch, seqLen, numHeads · headDim]
 */
export function rotaryPositionsReference(x: tf.Tensor3D, settings: RotarySettings, direction: 1 | -1): tf.Tensor3D {
  const { numHeads, rotaryDims } = settings;
  const [batch, seqLen, width] = x.shape;
  const headDim = width / numHeads;
  const half = rotaryDims / 2;
  return tf.tidy(() => {
    const heads = tf.reshape(x, [batch, seqLen, numHeads, headDim]);
    const [a, b, rest] = tf.split(heads, [half, half, headDim - rotaryDims], 3);
    // Not by tf.cos and tf.sin: those of a GPU may be off by 1e-4.
    const angles = rotaryAngles(seqLen, settings);
    const [cos, sin] = [Math.cos, (angle: number) => direction * Math.sin(angle)].map((component) =>
      tf.tensor(angles.map(component), [1, seqLen, 1, half]),
    );
    const rotated = [tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(b, cos), tf.mul(a, sin)), rest];
    return tf.reshape(tf.concat(headDim > rotaryDims ? rotated : rotated.slice(0, 2), 3), [batch, seqLen, width]);
  });
}
