import type { Matrix } from './commands.js';

/** What a layer writes, or the gradient of what it wrote: rows of numbers in the arithmetic's type, unless `result` says float32. */
export interface LayerOutput extends Matrix {
  readonly result?: 'float32';
  /** Adds to what is there. */
  readonly add?: boolean;
}

/**
 * Layers that read the same input, [tokens, width] in the arithmetic's type: query, key and value, or one layer alone. Commands are
 * encoded, not run; all places are addresses in device memory.
 */
export interface LayerSet {
  /** Bytes that the forward pass writes for the backward pass. */
  savedBytes(tokens: number): number;
  /** Bytes that either pass needs while it runs. */
  scratchBytes(tokens: number): number;
  forward(tokens: number, x: Matrix, saved: number, scratch: number, outputs: readonly LayerOutput[]): void;
  /** Writes dX, in the arithmetic's type, and the gradients of the trainable parameters. */
  backward(tokens: number, dOutputs: readonly Matrix[], x: Matrix, saved: number, scratch: number, dX: Matrix): void;
}

/** Whether matrices lie side by side in the same rows, `step` numbers apart. */
export function areSideBySide(matrices: readonly Matrix[], step: number, bytes: number): boolean {
  return matrices.every(
    ({ address, stride }, i) => stride === matrices[0].stride && address === matrices[0].address + i * step * bytes,
  );
}
