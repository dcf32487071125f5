import type { HostTensor } from '#src/storage';
import { isGroupOf } from './config.js';
import type { TokenPolicy } from './growth.js';

type HostTensors = ReadonlyMap<string, HostTensor>;

/**
 * Puts the trained parameters of a stack into a larger one.
 *
 * - A parameter of the same shape is taken over.
 * - Tokens appended to a group by `preserve` have zero keys and random values of the group's root mean square; τ stays.
 *   By `official` they are as in `fresh`, and so is τ.
 * - A group of its own beside a trained one starts with random keys of the other's root mean square and zero values.
 * - A new block starts as the identity: the values of its output and feed-forward layers are 0.
 *
 * The zeros keep the function. The random factor beside them gives them a gradient from the first step on, and gets its own once
 * they have moved.
 *
 * @param trained the smaller model
 * @param fresh new parameters of the larger one; nothing is drawn of those that are taken over
 * @param groupName of the stack's own group; parameters of other groups, such as a decoder's, are taken over where they fit
 * @returns the parameters of the larger model, in the order of `fresh`
 */
export function growParameters(
  trained: HostTensors,
  fresh: HostTensors,
  groupName: string,
  policy: TokenPolicy,
): Map<string, HostTensor> {
  const places = (names: Iterable<string>): StackPlace[] =>
    [...names].flatMap((name) => placeOf(name, groupName) ?? []);
  const blocks = new Set(places(trained.keys()).map(({ block }) => block));
  const grown = new Map<string, HostTensor>();
  for (const [name, tensor] of fresh) {
    const old = trained.get(name);
    const place = placeOf(name, groupName);
    if (old === undefined) grown.set(name, place ? newTensor(place, tensor, trained, blocks) : tensor);
    else if (String(old.shape) !== String(tensor.shape)) {
      grown.set(name, place ? withRows(old, tensor, appendedRows(place, old, tensor, policy)) : tensor);
    } else if (place?.what === 'tau' && policy === 'official') {
      const keys = `${place.layer}/${place.group}/keyParamTokens`;
      grown.set(name, trained.get(keys)?.shape[0] === fresh.get(keys)?.shape[0] ? old : tensor);
    } else grown.set(name, old);
  }
  return grown;
}

/** Where a parameter of a stack belongs. */
interface StackPlace {
  readonly block: string;
  /** `block0/attention/query` */
  readonly layer: string;
  readonly group: string;
  readonly what: 'keyParamTokens' | 'valueParamTokens' | 'tau';
}

/** The place of a parameter of the stack's groups; undefined for any other. */
function placeOf(name: string, groupName: string): StackPlace | undefined {
  const match = /^((block\d+)\/.+)\/([^/]+)\/(keyParamTokens|valueParamTokens|tau)$/.exec(name);
  if (!match || !isGroupOf(groupName, match[3])) return undefined;
  const [, layer, block, group, what] = match;
  return { block, layer, group, what: what as StackPlace['what'] };
}

/** A parameter that the trained model does not have. */
function newTensor(
  { block, layer, group, what }: StackPlace,
  fresh: HostTensor,
  trained: HostTensors,
  blocks: ReadonlySet<string>,
): HostTensor {
  if (!blocks.has(block))
    return what === 'valueParamTokens' && /(output|ffn)$/.test(layer) ? zeros(fresh.shape) : fresh;
  if (what === 'valueParamTokens') return zeros(fresh.shape);
  const own = trained.get(`${layer}/${group.split('.')[0]}/keyParamTokens`);
  if (what === 'tau' || own === undefined) return fresh;
  return { shape: fresh.shape, values: scaledTo(fresh.values, rootMeanSquare(own.values)) };
}

/** The values of rows beyond those of `old`. */
function appendedRows(
  { what }: StackPlace,
  old: HostTensor,
  fresh: HostTensor,
  policy: TokenPolicy,
): ArrayLike<number> {
  const first = old.values.length;
  if (policy === 'official') return fresh.values.subarray(first);
  if (what === 'keyParamTokens') return new Float32Array(sizeOf(fresh.shape) - first);
  return scaledTo(fresh.values.subarray(first), rootMeanSquare(old.values));
}

function withRows(old: HostTensor, { shape }: HostTensor, appended: ArrayLike<number>): HostTensor {
  const values = new Float32Array(sizeOf(shape));
  values.set(old.values);
  values.set(appended, old.values.length);
  return { shape, values };
}

function zeros(shape: readonly number[]): HostTensor {
  return { shape, values: new Float32Array(sizeOf(shape)) };
}

function scaledTo(values: ArrayLike<number>, target: number): Float32Array {
  const own = rootMeanSquare(values);
  return Float32Array.from(values, (value) => (own === 0 ? 0 : (value * target) / own));
}

function rootMeanSquare(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum / Math.max(1, values.length));
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
