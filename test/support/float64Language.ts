/** @file A language TokenFormer in plain float64, under the names of the official checkpoints, on the formulas of float64.ts. */
import {
  type Activation,
  add,
  attention,
  crossEntropy,
  layerNormalize,
  type Matrix,
  mapRows,
  matrix,
  multiply,
  pattention,
  rotary,
  transpose,
} from './float64.js';

export interface PlainLanguageConfig {
  readonly activation: Activation;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly rotaryDims: number;
}

export type PlainParameters = ReadonlyMap<string, Matrix>;

export interface PlainForward {
  /** The embedded tokens and then the state after every block, each [seqLen, dModel] per sequence. */
  readonly hidden: readonly (readonly Matrix[])[];
  readonly logits: readonly Matrix[];
  /** Mean next-token cross-entropy, in nats. */
  readonly loss: number;
}

/** Causal, pre-norm, tied to its embedding; τ = √n (n for softmax), ε = 0 in Pattention. */
export function plainLanguageModel(
  parameters: PlainParameters,
  { activation, numLayers, numHeads, rotaryDims }: PlainLanguageConfig,
  sequences: readonly (readonly number[])[],
): PlainForward {
  const read = (name: string): Matrix => parameters.get(name) as Matrix;
  const patt = (x: Matrix, path: string): Matrix => {
    const keys = read(`${path}.key_param_tokens`);
    const tau = activation === 'softmax' ? keys.rows : Math.sqrt(keys.rows);
    return pattention(x, keys, read(`${path}.value_param_tokens`), { activation, tau, epsilon: 0, gelu: 'erf' });
  };
  const embedding = read('sequential.0.word_embeddings.weight');
  const scale = read(`sequential.${numLayers + 3}.norm.weight`).data;
  const bias = read(`sequential.${numLayers + 3}.norm.bias`).data;
  const hidden: Matrix[][] = Array.from({ length: numLayers + 1 }, () => []);
  const logits: Matrix[] = [];
  let sum = 0;
  let count = 0;
  for (const ids of sequences) {
    const rows = ids.flatMap((id) => [...embedding.data.slice(id * embedding.cols, (id + 1) * embedding.cols)]);
    let x = matrix(ids.length, embedding.cols, rows);
    hidden[0].push(x);
    for (let l = 0; l < numLayers; l++) {
      const path = `sequential.${l + 2}`;
      const h = layerNormalize(x);
      const q = rotary(patt(h, `${path}.attention.query`), numHeads, rotaryDims);
      const k = rotary(patt(h, `${path}.attention.key`), numHeads, rotaryDims);
      const attended = attention(q, k, patt(h, `${path}.attention.value`), numHeads, (i, j) => j <= i);
      x = add(x, patt(attended, `${path}.attention.proj`));
      x = add(x, patt(layerNormalize(x), `${path}.mlp`));
      hidden[l + 1].push(x);
    }
    const normed = mapRows(layerNormalize(x), (row) => row.map((value, i) => value * scale[i] + bias[i]));
    const z = multiply(normed, transpose(embedding));
    logits.push(z);
    for (let t = 0; t + 1 < ids.length; t++) {
      sum += crossEntropy(z.data.slice(t * z.cols, (t + 1) * z.cols), ids[t + 1]);
      count++;
    }
  }
  return { hidden, logits, loss: sum / count };
}
