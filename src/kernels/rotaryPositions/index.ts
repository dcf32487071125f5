import type { tf } from '#src/engine';
import { runFastKernel } from '../fastKernel.js';
import { fusedOp } from '../fusedOp.js';
import { type RotarySettings, rotaryPositionsReference } from './reference.js';

export { type RotarySettings, rotaryPositionsReference } from './reference.js';

/**
 * Rotary position embedding on a share of every head; a rotation, so its gradient is the rotation back. Kernel:
 * `RotaryPositions`, for both.
 *
 * @param x [batch, seqLen, dModel]
 * @returns [batch, seqLen, dModel]
 */
export function rotaryPositions(x: tf.Tensor3D, settings: RotarySettings): tf.Tensor3D {
  if (settings.rotaryDims === 0) return x;
  const rotate = (t: tf.Tensor, direction: 1 | -1): tf.Tensor =>
    runFastKernel('RotaryPositions', { x: t }, { ...settings, direction })?.[0] ??
    rotaryPositionsReference(t as tf.Tensor3D, settings, direction);
  return fusedOp({
    inputs: [x],
    wanted: [true],
    forward: () => ({ output: rotate(x, 1), saved: [] }),
    backward: (dOutput) => [rotate(dOutput, -1)],
  }) as tf.Tensor3D;
}
