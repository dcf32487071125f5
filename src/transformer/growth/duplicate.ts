import { UserError } from '#src/errors';
import { createRandom } from '#src/random';
import type { HostTensor } from '#src/storage';
import { mlpHidden, type TransformerConfig } from '../config.js';
import { WEIGHT_NAMES, weightPath } from '../transformerLayers.js';
import type { TensorKind, TransformerGrowth } from './transformerGrowth.js';

/** What a tensor outside of the stack does with the features of the stream; `apart`: nothing. */
export type StreamRole = 'writes' | 'reads' | 'apart';

export interface DuplicateOptions {
  /**
   * Standard deviation of what is added to the copies, as a share of the weights' root mean square. It sums to 0 over copies
   * that are added up, so the function stays; with 0, copies have equal gradients and stay equal for good.
   */
  readonly noise: number;
  /** Draws the noise. */
  readonly seed: number;
}

/** How the numbers of a tensor [rows, columns] are copied. */
interface Duplication {
  /** The old row of each new one; as they are when absent. */
  readonly rows?: readonly number[];
  readonly columns?: readonly number[];
  /** Divided by the number of copies. */
  readonly divides: 'values' | 'gradients' | 'both';
  /** The axis along which the copies are added up in the pass; absent: none are. */
  readonly summed?: 'rows' | 'columns';
}

/**
 * Net2Net in width (Chen et al., arXiv 1511.05641), all features k times: x becomes (x ‖ … ‖ x). LN(x ‖ x) = LN(x) ‖ LN(x), heads
 * are copied whole, and a weight W that reads copies becomes blocks of W/k. The parametric final norm takes a factor of 1/k,
 * which leaves the logits of a tied output as they were: the function is kept to rounding (as in HyperCloning, arXiv 2409.12903).
 *
 * Gradients of copies are 1/k of the old ones, those of the final norm as they were; so are the moments.
 *
 * @param factor k, from 2
 * @param roleOf the tensors that do not belong to the stack
 * @throws UserError for another factor
 */
export function duplicateWidth(
  config: TransformerConfig,
  groupName: string,
  factor: number,
  roleOf: (name: string) => StreamRole,
  options: DuplicateOptions,
): TransformerGrowth {
  if (!Number.isInteger(factor) || factor < 2)
    throw new UserError(
      `net2net: expected a whole factor of at least 2 for the width, got ${factor}: features are copied whole`,
    );
  const { dModel, numHeads, numLayers } = config;
  const features = cyclic(dModel, factor * dModel);
  const units = cyclic(mlpHidden(config), factor * mlpHidden(config));
  const duplications = new Map<string, Duplication>();
  for (let l = 0; l < numLayers; l++) {
    for (const name of WEIGHT_NAMES) {
      const rows = name === 'up' || name === 'down' ? units : features;
      const summed = name === 'up' ? 'columns' : 'rows';
      duplications.set(weightPath(l, name, groupName), { rows, columns: features, divides: 'both', summed });
    }
  }
  for (const name of ['scale', 'bias'])
    duplications.set(`${groupName}/finalNorm/${name}`, { columns: features, divides: 'values' });
  const outside: Readonly<Record<StreamRole, Duplication | undefined>> = {
    writes: { columns: features, divides: 'gradients' },
    reads: { rows: features, divides: 'gradients', summed: 'rows' },
    apart: undefined,
  };
  return {
    config: { ...config, dModel: factor * dModel, numHeads: factor * numHeads, mlpHidden: units.length },
    grow: (name, tensor, kind) => {
      const duplication = duplications.get(name) ?? outside[roleOf(name)];
      return [[name, duplication ? duplicated(name, tensor, duplication, kind, options) : tensor]];
    },
  };
}

/**
 * Net2Net in the hidden units of the MLPs alone: new units are copies in turn, and what copies write is divided by their number.
 * The function is kept to rounding.
 *
 * @param hidden units of the larger model
 * @throws UserError unless there are more than before
 */
export function duplicateHidden(
  config: TransformerConfig,
  groupName: string,
  hidden: number,
  options: DuplicateOptions,
): TransformerGrowth {
  const before = mlpHidden(config);
  if (!Number.isInteger(hidden) || hidden <= before)
    throw new UserError(`net2net: expected more than ${before} hidden units, got ${hidden}`);
  const rows = cyclic(before, hidden);
  const duplications = new Map<string, Duplication>();
  for (let l = 0; l < config.numLayers; l++) {
    duplications.set(weightPath(l, 'up', groupName), { rows, divides: 'gradients' });
    duplications.set(weightPath(l, 'down', groupName), { rows, divides: 'values', summed: 'rows' });
  }
  return {
    config: { ...config, mlpHidden: hidden },
    grow: (name, tensor, kind) => {
      const duplication = duplications.get(name);
      return [[name, duplication ? duplicated(name, tensor, duplication, kind, options) : tensor]];
    },
  };
}

/** 0, 1, …, before − 1, 0, 1, …: `after` of them. */
function cyclic(before: number, after: number): number[] {
  return Array.from({ length: after }, (_, i) => i % before);
}

function duplicated(
  name: string,
  { shape, values }: HostTensor,
  { rows: givenRows, columns: givenColumns, divides, summed }: Duplication,
  kind: TensorKind,
  { noise, seed }: DuplicateOptions,
): HostTensor {
  const oldColumns = shape.at(-1) as number;
  const oldRows = shape.length === 1 ? 1 : shape[0];
  const rows = givenRows ?? cyclic(oldRows, oldRows);
  const columns = givenColumns ?? cyclic(oldColumns, oldColumns);
  const rowCopies = copiesOf(rows);
  const columnCopies = copiesOf(columns);
  const isDivided = divides === 'both' || (kind === 'value') === (divides === 'values');
  const power = isDivided ? (kind === 'secondMoment' ? 2 : 1) : 0;
  const grown = new Float32Array(rows.length * columns.length);
  for (const [r, row] of rows.entries()) {
    for (const [c, column] of columns.entries()) {
      const copies = givenRows ? rowCopies[row] : columnCopies[column];
      grown[r * columns.length + c] = values[row * oldColumns + column] / copies ** power;
    }
  }
  if (kind === 'value' && noise > 0 && summed !== undefined) {
    const sources = summed === 'rows' ? rows : columns;
    addSilentNoise(grown, [rows.length, columns.length], sources, summed, noise, createRandom(seed, 'net2net', name));
  }
  return { shape: shape.length === 1 ? [columns.length] : [rows.length, columns.length], values: grown };
}

/** How often each old index is among the new ones. */
function copiesOf(sources: readonly number[]): number[] {
  const copies: number[] = [];
  for (const source of sources) copies[source] = (copies[source] ?? 0) + 1;
  return copies;
}

/** Adds noise whose sum over the copies of a row, or of a column, is 0. */
function addSilentNoise(
  grown: Float32Array,
  [numRows, numColumns]: readonly [number, number],
  sources: readonly number[],
  along: 'rows' | 'columns',
  noise: number,
  random: { normal(): number },
): void {
  const square = grown.reduce((sum, value) => sum + value * value, 0) / grown.length;
  const deviation = noise * Math.sqrt(square);
  const copies = copiesOf(sources);
  const across = along === 'rows' ? numColumns : numRows;
  const at = (index: number, other: number): number =>
    along === 'rows' ? index * numColumns + other : other * numColumns + index;
  for (let other = 0; other < across; other++) {
    const drawn = sources.map(() => random.normal());
    const sums = new Float64Array(copies.length);
    for (const [i, source] of sources.entries()) sums[source] += drawn[i];
    for (const [i, source] of sources.entries())
      grown[at(i, other)] += deviation * (drawn[i] - sums[source] / copies[source]);
  }
}
