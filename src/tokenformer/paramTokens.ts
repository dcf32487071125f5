import { tf } from '#src/engine';
import { findNormActivation } from '#src/kernels';
import { createRandom, type Random } from '#src/random';
import type { HostTensor } from '#src/storage';
import { clusterKeys, type KeyClusters } from './keyClusters.js';
import type { ParameterTree } from './parameterTree.js';
import type { RemoteGroup } from './remoteGroups.js';
import { isRouted, type Sparsity } from './sparsity.js';

/**
 * A group of parameter tokens, the unit of TokenFormer: pretrained together, normalised together,
 * frozen, concatenated and taken apart together.
 */
export interface ParamTokenGroup {
  readonly name: string;
  /** [numParamTokens, dIn] */
  readonly keyParamTokens: tf.Tensor2D;
  /** [numParamTokens, dOut] */
  readonly valueParamTokens: tf.Tensor2D;
  /** Stored scale τ; set at creation by the rule of Θ, √n for a norm. */
  readonly tau: number;
  readonly trainable: boolean;
  /** Parameter tokens that an input token uses; all unless given. */
  readonly sparsity?: Sparsity;
  /** Its clusters, where the sparsity asks for some and it is large enough; made when first read. */
  readonly clusters?: { readonly best: number; read(): KeyClusters };
  /** Present where another process holds the parameter tokens: nothing here can read them. */
  readonly remote?: RemoteGroup;
}

/** The first parameter tokens of a group, as a smaller model's. */
export interface GroupPrefix {
  readonly numParamTokens: number;
  /** Θ, which has a τ for that number. */
  readonly normActivation: string;
}

/**
 * Reads the group `name` of the layer at `layerPath`, such as `block0/attention/query`.
 *
 * @param prefix how many of its parameter tokens to take; all unless given
 */
export function readGroup(tree: ParameterTree, layerPath: string, name: string, prefix?: GroupPrefix): ParamTokenGroup {
  const path = `${layerPath}/${name}`;
  const remote = tree.remoteGroup(path);
  if (remote !== undefined) return remoteParamTokens(name, tree.constant(`${path}/tau`), remote);
  const keys = tree.variable(`${path}/keyParamTokens`) as tf.Tensor as tf.Tensor2D;
  const values = tree.variable(`${path}/valueParamTokens`) as tf.Tensor as tf.Tensor2D;
  const tau = tree.constant(`${path}/tau`);
  const cut = prefix && prefix.numParamTokens < keys.shape[0] ? prefix : undefined;
  const [numParamTokens, keyParamTokens, valueParamTokens] = cut
    ? [cut.numParamTokens, firstRows(keys, cut.numParamTokens), firstRows(values, cut.numParamTokens)]
    : [keys.shape[0], keys, values];
  const { sparsity } = tree;
  const routed = isRouted(sparsity, numParamTokens) ? sparsity : undefined;
  const make = (clusters: number) => () =>
    clusterKeys(keyParamTokens, valueParamTokens, clusters, createRandom(1, 'clusters', path));
  return {
    name,
    keyParamTokens,
    valueParamTokens,
    tau: cut ? prefixTau(tau, cut) : tau,
    trainable: tree.isTrainable(`${path}/keyParamTokens`),
    sparsity,
    clusters: routed && {
      best: routed.best,
      read: () => tree.clusters(`${path}/${numParamTokens}`, make(routed.clusters)),
    },
  };
}

function firstRows(matrix: tf.Tensor2D, rows: number): tf.Tensor2D {
  return tf.slice(matrix, [0, 0], [rows, -1]);
}

/**
 * τ of a prefix: that of a model of its size, but never more than the group's own, so that a group that grew by `preserve`, τ
 * kept, still contains the smaller model.
 */
export function prefixTau(tau: number, { numParamTokens, normActivation }: GroupPrefix): number {
  // As float32, in which checkpoints keep it: a prefix and the same prefix on disk are equal to the bit.
  return Math.fround(Math.min(tau, findNormActivation(normActivation).tau(numParamTokens)));
}

function remoteParamTokens(name: string, tau: number, remote: RemoteGroup): ParamTokenGroup {
  const refuse = (): never => {
    throw new Error(`readGroup: '${remote.path}' is in another process, its parameter tokens cannot be read here`);
  };
  return {
    ...{ name, tau, trainable: false, remote },
    get keyParamTokens(): tf.Tensor2D {
      return refuse();
    },
    get valueParamTokens(): tf.Tensor2D {
      return refuse();
    },
  };
}

/** Sizes and distributions of a new group. */
export interface GroupInit {
  readonly numParamTokens: number;
  readonly dIn: number;
  readonly dOut: number;
  readonly keyStd: number;
  /** 0 for a group whose output must start at 0 (a bridge). */
  readonly valueStd: number;
  readonly tau: number;
}

/** New parameter tokens: keys N(0, keyStd²), values N(0, valueStd²), drawn in this order when one of them is first read. */
export function createGroup(layerPath: string, name: string, init: GroupInit, random: Random): Map<string, HostTensor> {
  const { numParamTokens, dIn, dOut, keyStd, valueStd, tau } = init;
  const path = `${layerPath}/${name}`;
  const [keyShape, valueShape] = [
    [numParamTokens, dIn],
    [numParamTokens, dOut],
  ];
  const drawn = once(() => [drawNormal(keyShape, keyStd, random), drawNormal(valueShape, valueStd, random)]);
  return new Map<string, HostTensor>([
    [`${path}/keyParamTokens`, lazyTensor(keyShape, () => drawn()[0])],
    [`${path}/valueParamTokens`, lazyTensor(valueShape, () => drawn()[1])],
    [`${path}/tau`, { shape: [], values: Float32Array.of(tau) }],
  ]);
}

/** A host tensor of independent N(0, std²), drawn when it is first read. */
export function normalTensor(shape: readonly number[], std: number, random: Random): HostTensor {
  return lazyTensor(
    shape,
    once(() => drawNormal(shape, std, random)),
  );
}

/** A host tensor of one value. */
export function constantTensor(shape: readonly number[], value: number): HostTensor {
  return lazyTensor(
    shape,
    once(() => new Float32Array(sizeOf(shape)).fill(value)),
  );
}

/** Names and shapes of new parameters are thus known without drawing any: what a checkpoint must hold. */
function lazyTensor(shape: readonly number[], values: () => Float32Array): HostTensor {
  return {
    shape,
    get values() {
      return values();
    },
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function drawNormal(shape: readonly number[], std: number, random: Random): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  if (std > 0) for (let i = 0; i < values.length; i++) values[i] = random.normal() * std;
  return values;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
