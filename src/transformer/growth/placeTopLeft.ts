import { UserError } from '#src/errors';
import type { HostTensor } from '#src/storage';
import type { TransformerConfig } from '../config.js';
import type { TransformerGrowth } from './transformerGrowth.js';

/**
 * The growth that the TokenFormer paper calls Net2Net (arXiv 2410.23168, eq. 13): every old matrix in the top left of the new one,
 *
 *   W_new = [ W_old  A ]
 *           [  B     C ]
 *
 * with A, B, C 0 or as a new model draws them. The width of a head stays, so that old heads stay whole, and new ones follow. The
 * function is not kept, not even with zeros: LN takes mean and variance over the new features too. Moments of what is new are 0.
 *
 * @param fresh parameters of a new model of the larger size; its vectors, such as the scale of the final norm, are taken as
 *   they are behind the old numbers
 * @throws UserError for another depth or head width, and for a tensor that would not fit
 */
export function placeTopLeft(
  before: TransformerConfig,
  after: TransformerConfig,
  fresh: ReadonlyMap<string, HostTensor>,
  elsewhere: 'zeros' | 'new',
): TransformerGrowth {
  const problem = (['numLayers', 'rotaryShare'] as const).find((key) => before[key] !== after[key]);
  if (problem) throw new UserError(`eq13: expected ${problem} ${before[problem]}, as before, got ${after[problem]}`);
  const [headBefore, headAfter] = [before, after].map(({ dModel, numHeads }) => dModel / numHeads);
  if (headBefore !== headAfter)
    throw new UserError(
      `eq13: expected heads of ${headBefore} features, as before, got ${headAfter}: old heads stay whole`,
    );
  return {
    config: after,
    grow: (name, tensor, kind) => {
      const target = fresh.get(name);
      if (target === undefined) throw new UserError(`eq13: the larger model has no parameter '${name}'`);
      if (target.shape.length !== tensor.shape.length || tensor.shape.some((size, axis) => size > target.shape[axis]))
        throw new UserError(`eq13: '${name}': expected room for [${tensor.shape}], got [${target.shape}]`);
      const isDrawn = kind === 'value' && (elsewhere === 'new' || target.shape.length < 2);
      const size = target.shape.reduce((product, n) => product * n, 1);
      const values = isDrawn ? Float32Array.from(target.values) : new Float32Array(size);
      const [columns, newColumns] = [tensor, target].map(({ shape }) => shape.at(-1) as number);
      for (const [i, value] of tensor.values.entries())
        values[Math.floor(i / columns) * newColumns + (i % columns)] = value;
      return [[name, { shape: target.shape, values }]];
    },
  };
}
