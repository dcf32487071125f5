import { tf } from '#src/engine';
import { gelu } from '#src/kernels';
import { createRandom } from '#src/random';
import type { HostTensor } from '#src/storage';
import { normalTensor, type ParameterTree } from '#src/tokenformer';
import { createLinearHead, linearHead } from './linearHead.js';

const GROUP = 'visionPrototypes';
const HIDDEN = `${GROUP}/hidden`;
const PROJECTION = `${GROUP}/projection`;
const VECTORS = `${GROUP}/vectors`;

/** Widths of a prototype head. */
export interface PrototypeHeadSizes {
  readonly input: number;
  readonly hidden: number;
  /** Of the vectors that are compared. */
  readonly output: number;
  readonly prototypes: number;
}

/** New parameters of a prototype head; prototypes N(0, 1/output), so that they are about as long as what they are compared with. */
export function createPrototypeHead(sizes: PrototypeHeadSizes, seed: number): Map<string, HostTensor> {
  const { input, hidden, output, prototypes } = sizes;
  return new Map([
    ...createLinearHead(HIDDEN, input, hidden, seed),
    ...createLinearHead(PROJECTION, hidden, output, seed),
    [VECTORS, normalTensor([prototypes, output], 1 / Math.sqrt(output), createRandom(seed, 'init', VECTORS))],
  ]);
}

/** Multiplications with an addition for one vector. */
export function prototypeMultiplyAdds({ input, hidden, output, prototypes }: PrototypeHeadSizes): number {
  return input * hidden + hidden * output + output * prototypes;
}

/** Cosines between z = GELU(x W₁ + b₁) W₂ + b₂, GELU by tanh, and every prototype. x [rows, input] → [rows, prototypes] */
export function prototypeCosines(tree: ParameterTree, x: tf.Tensor2D): tf.Tensor2D {
  const hidden = gelu(linearHead(tree, HIDDEN, x), 'tanh') as tf.Tensor2D;
  const z = linearHead(tree, PROJECTION, hidden);
  const vectors = tree.variable(VECTORS) as tf.Tensor as tf.Tensor2D;
  return tf.matMul(unitRows(z), unitRows(vectors), false, true);
}

/** Rows of length 1. */
function unitRows(x: tf.Tensor2D): tf.Tensor2D {
  return tf.div(x, tf.sqrt(tf.add(tf.sum(tf.square(x), 1, true), 1e-12)));
}
