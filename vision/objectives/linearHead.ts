import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import type { HostTensor } from '#src/storage';
import { constantTensor, normalTensor, type ParameterTree } from '#src/tokenformer';

/** New parameters of a linear head: kernel N(0, 0.02²), bias 0. */
export function createLinearHead(path: string, dIn: number, dOut: number, seed: number): Map<string, HostTensor> {
  return new Map([
    [`${path}/kernel`, normalTensor([dIn, dOut], 0.02, createRandom(seed, 'init', path))],
    [`${path}/bias`, constantTensor([dOut], 0)],
  ]);
}

/** x W + b. x [rows, dIn] → [rows, dOut] */
export function linearHead(tree: ParameterTree, path: string, x: tf.Tensor2D): tf.Tensor2D {
  const kernel = tree.variable(`${path}/kernel`) as tf.Tensor as tf.Tensor2D;
  return tf.add(tf.matMul(x, kernel), tree.variable(`${path}/bias`));
}
