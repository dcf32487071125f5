import { tf } from '#src/engine';
import { UserError } from '#src/errors';
import { IGNORE_INDEX, type PattentionSettings, pattention } from '#src/kernels';
import { type HostTensor, readSafetensors } from '#src/storage';
import { ParameterTree } from '#src/tokenformer';
import { languageHidden, languageLogits } from './model/backbone.js';
import { summedTokenLoss, totalWeight } from './model/loss.js';
import { fromOfficial, normActivationFromOfficial, officialNames } from './officialNames.js';

/** How far one tensor is from the expected one. */
export interface TensorParity {
  readonly name: string;
  readonly shape: readonly number[];
  /** max |ours − expected| / max |expected| */
  readonly relativeError: number;
}

/**
 * Runs one stored Pattention (x, key, value, dy) and compares y, dx, dkey, dvalue with the stored ones.
 *
 * @param path safetensors with metadata `act`; optional `tau` and `epsilon`
 */
export async function pattentionParity(path: string): Promise<TensorParity[]> {
  const { tensors, metadata } = readSafetensors(path);
  const host = (name: string): HostTensor => expectTensor(tensors, name, path);
  const [x, keys, values, dy] = ['x', 'key', 'value', 'dy'].map(host);
  for (const name of ['y', 'dx', 'dkey', 'dvalue']) host(name);
  const [n, dIn] = keys.shape;
  const fits =
    keys.shape.length === 2 &&
    values.shape.length === 2 &&
    x.shape.at(-1) === dIn &&
    values.shape[0] === n &&
    dy.shape.at(-1) === values.shape[1] &&
    x.values.length * values.shape[1] === dy.values.length * dIn &&
    x.values.length * keys.values.length * values.values.length > 0;
  if (!fits) {
    const got = `x [${x.shape}], key [${keys.shape}], value [${values.shape}], dy [${dy.shape}]`;
    throw new UserError(`${path}: expected x [..., dIn], key [n, dIn], value [n, dOut], dy [..., dOut]; got ${got}`);
  }
  const normActivation = normActivationFromOfficial(expectMetadata(metadata, 'act', path));
  const settings: PattentionSettings = {
    normActivation: normActivation.name,
    gelu: 'erf',
    epsilon: finiteMetadata(metadata, 'epsilon', 0, path),
    tau: finiteMetadata(metadata, 'tau', normActivation.tau(n), path),
  };
  const computed: [string, tf.Tensor][] = [];
  tf.tidy(() => {
    const load = ({ shape, values: data }: HostTensor): tf.Tensor2D =>
      tf.tensor2d(data as Float32Array, [data.length / (shape.at(-1) as number), shape.at(-1) as number]);
    const inputs = [x, keys, values].map(load);
    const weight = load(dy);
    const output = pattention(inputs[0], inputs[1], inputs[2], settings);
    const gradients = tf.grads((...args) => {
      const [a, b, c] = args as tf.Tensor2D[];
      return tf.sum(tf.mul(pattention(a, b, c, settings), weight)) as tf.Scalar;
    })(inputs);
    const ours = { y: output, dx: gradients[0], dkey: gradients[1], dvalue: gradients[2] };
    for (const [name, tensor] of Object.entries(ours)) computed.push([name, tf.keep(tensor)]);
  });
  return compareAll(computed, tensors, path);
}

/**
 * Runs a language model with official parameter names on stored tokens and compares logits, loss, hidden states and
 * every parameter gradient.
 *
 * @param weightsPath safetensors with metadata `h` heads, `act`, `rot` rotary share, `seq`
 * @param expectedPath safetensors with `input_ids` [batch, seqLen] and any of `logits`, `loss`, `hidden.N`, `grad.<name>`
 */
export async function languageModelParity(weightsPath: string, expectedPath: string): Promise<TensorParity[]> {
  const weights = readSafetensors(weightsPath);
  const expected = readSafetensors(expectedPath).tensors;
  const { config, tensors } = fromOfficial(
    weights.tensors,
    {
      numHeads: Number(expectMetadata(weights.metadata, 'h', weightsPath)),
      rotaryShare: Number(expectMetadata(weights.metadata, 'rot', weightsPath)),
      normActivation: expectMetadata(weights.metadata, 'act', weightsPath),
      seqLen: Number(expectMetadata(weights.metadata, 'seq', weightsPath)),
    },
    weightsPath,
  );
  const ids = expectTensor(expected, 'input_ids', expectedPath);
  const [batch, seqLen] = ids.shape;
  const isId = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < config.vocabSize;
  if (ids.shape.length !== 2 || ids.values.length === 0 || !ids.values.every(isId)) {
    throw new UserError(
      `${expectedPath}: 'input_ids': expected [batch, seqLen] of ids in [0, ${config.vocabSize}), got ${describeIds(ids, isId)}`,
    );
  }
  const tree = new ParameterTree(tensors);
  const computed: [string, tf.Tensor][] = [];
  try {
    tf.tidy(() => {
      const check = (name: string, ours: tf.Tensor): void => {
        if (expected.has(name)) computed.push([name, tf.keep(tf.clone(ours))]);
      };
      const labels = Int32Array.from(ids.values, (_, t) =>
        (t + 1) % seqLen === 0 ? IGNORE_INDEX : Number(ids.values[t + 1]),
      );
      const tokenIds = tf.tensor2d(Int32Array.from(ids.values), [batch, seqLen], 'int32');
      const forward = (report: boolean): tf.Scalar => {
        const capture = report ? (name: string, compute: () => tf.Tensor) => check(name, compute()) : undefined;
        const { hidden } = languageHidden(tree, config, tokenIds, capture ? { capture } : {});
        if (report) check('logits', languageLogits(tree, hidden));
        return tf.div(summedTokenLoss(tree, hidden, labels), totalWeight(labels)) as tf.Scalar;
      };
      check('loss', forward(true));
      const names = officialNames(config.stack.numLayers);
      const variables = [...names.keys()].map((name) => tree.variable(name));
      const { grads } = tf.variableGrads(() => forward(false), variables);
      for (const [ours, theirs] of names) check(`grad.${theirs}`, grads[tree.variable(ours).name]);
      const checked = new Set(computed.map(([name]) => name));
      const unknown = [...expected.keys()].filter((name) => name !== 'input_ids' && !checked.has(name));
      if (unknown.length > 0) {
        throw new UserError(
          `${expectedPath}: expected logits, loss, hidden.N or grad.<parameter>, got '${unknown[0]}'`,
        );
      }
    });
    return await compareAll(computed, expected, expectedPath);
  } finally {
    tree.dispose();
  }
}

async function compareAll(
  computed: readonly [string, tf.Tensor][],
  expected: ReadonlyMap<string, HostTensor>,
  path: string,
): Promise<TensorParity[]> {
  const results: TensorParity[] = [];
  for (const [name, tensor] of computed) {
    results.push(compare(name, await tensor.data(), tensor.shape, expectTensor(expected, name, path), path));
    tensor.dispose();
  }
  return results;
}

function compare(
  name: string,
  actual: ArrayLike<number>,
  actualShape: readonly number[],
  { shape, values }: HostTensor,
  path: string,
): TensorParity {
  if (actual.length !== values.length) {
    throw new UserError(`${path}: '${name}': expected shape [${actualShape}], got [${shape}]`);
  }
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const apart = Math.abs(actual[i] - values[i]);
    // A NaN on our side must not pass as 'not larger'.
    difference = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(difference, apart);
    largest = Math.max(largest, Math.abs(values[i]));
  }
  return { name, shape, relativeError: largest === 0 ? difference : difference / largest };
}

function expectTensor(tensors: ReadonlyMap<string, HostTensor>, name: string, path: string): HostTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new UserError(`${path}: expected a tensor '${name}', it has none of that name`);
  return tensor;
}

function describeIds({ shape, values }: HostTensor, isId: (id: number) => boolean): string {
  const wrong = values.find((id) => !isId(id));
  return shape.length !== 2 || wrong === undefined ? `shape [${shape}]` : `the id ${wrong}`;
}

/** A number that the metadata may give. */
function finiteMetadata(
  metadata: Readonly<Record<string, string>>,
  key: string,
  otherwise: number,
  path: string,
): number {
  const value = Number(metadata[key] ?? otherwise);
  if (Number.isFinite(value)) return value;
  throw new UserError(`${path}: '${key}' in its metadata: expected a number, got '${metadata[key]}'`);
}

function expectMetadata(metadata: Readonly<Record<string, string>>, key: string, path: string): string {
  const value = metadata[key];
  if (value === undefined) throw new UserError(`${path}: expected '${key}' in its metadata, it has none`);
  return value;
}
