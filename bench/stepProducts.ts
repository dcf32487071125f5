import { LAYER_NAMES, stackGroups } from '#src/tokenformer';
import { type BenchModel, NUM_CLASSES, sequenceLength } from './models.js';
import type { ProductShape } from './workload.js';

/** A matrix product of a training step. */
export interface StepProduct extends ProductShape {
  readonly what: string;
  /** How often a step needs it. */
  readonly count: number;
  /** Share of it that counts: under a causal mask half of the attention scores is never needed. */
  readonly neededShare: number;
}

type Sizes = readonly [m: number, n: number, depth: number];

const NN = { transposeA: false, transposeB: false };
const NT = { transposeA: false, transposeB: true };
const TN = { transposeA: true, transposeB: false };

/** Every matrix product of one training step, forward and backward, none computed twice. */
export function stepProducts(model: BenchModel): StepProduct[] {
  const { stack } = model.config;
  const { dModel, numLayers, numHeads } = stack;
  const seqLen = sequenceLength(model);
  const tokens = model.batchSize * seqLen;
  const products: StepProduct[] = [];
  const add = (what: string, [m, n, depth]: Sizes, transposes: typeof NN, count: number, batch = 1, neededShare = 1) =>
    products.push({ what, batch, m, n, depth, ...transposes, count, neededShare });
  /** Y = X Wᵀ for a [dOut, dIn] matrix, and its gradients. */
  const linear = (what: string, rows: number, dIn: number, dOut: number, inputNeedsGradient: boolean): void => {
    add(`${what}: X Wᵀ`, [rows, dOut, dIn], NT, 1);
    if (inputNeedsGradient) add(`${what}: dY W`, [rows, dIn, dOut], NN, 1);
    add(`${what}: dYᵀ X`, [dOut, dIn, rows], TN, 1);
  };

  const [{ paramTokens }] = stackGroups(stack, model.kind);
  for (const layer of LAYER_NAMES) {
    const n = paramTokens[layer];
    add(`n ${n}: X Kᵀ, dY Vᵀ`, [tokens, n, dModel], NT, 2 * numLayers);
    add(`n ${n}: S V, dA K`, [tokens, dModel, n], NN, 2 * numLayers);
    add(`n ${n}: Sᵀ dY, dAᵀ X`, [n, dModel, tokens], TN, 2 * numLayers);
  }
  const headDim = dModel / numHeads;
  const heads = model.batchSize * numHeads;
  const seen = model.kind === 'language' ? (seqLen + 1) / (2 * seqLen) : 1;
  add('heads: Q Kᵀ, dO Vᵀ', [seqLen, seqLen, headDim], NT, 2 * numLayers, heads, seen);
  add('heads: P V, dS K', [seqLen, headDim, seqLen], NN, 2 * numLayers, heads, seen);
  add('heads: Pᵀ dO, dSᵀ Q', [seqLen, headDim, seqLen], TN, 2 * numLayers, heads, seen);
  if (model.kind === 'language') linear('logits', tokens, dModel, model.config.vocabSize, true);
  else {
    linear('patches', tokens, model.config.patchSize ** 2 * 3, dModel, false);
    linear('classes', model.batchSize, dModel, NUM_CLASSES, true);
  }
  return products;
}

/** Operations of one product: 2 · batch · m · n · depth. */
export function productFlops({ batch, m, n, depth }: ProductShape): number {
  return 2 * batch * m * n * depth;
}

/** Operations of a step's products, those that a causal mask makes needless left out. */
export function stepFlops(model: BenchModel): number {
  return stepProducts(model).reduce((sum, product) => sum + product.count * neededFlops(product), 0);
}

function neededFlops(product: StepProduct): number {
  return productFlops(product) * product.neededShare;
}

/** A shape that holds less of its model's step than this is left out of the comparison of products. */
const SMALLEST_SHARE = 1e-3;

/** The different product shapes of the models' steps, the tiny ones left out. */
export function productShapes(models: readonly BenchModel[]): StepProduct[] {
  const shapes = new Map<string, StepProduct>();
  for (const model of models) {
    const smallest = SMALLEST_SHARE * stepFlops(model);
    for (const product of stepProducts(model)) {
      const { batch, m, n, depth, transposeA, transposeB } = product;
      const key = [batch, m, n, depth, transposeA, transposeB].join();
      if (product.count * neededFlops(product) >= smallest && !shapes.has(key)) shapes.set(key, product);
    }
  }
  return [...shapes.values()];
}
