import { Matrix } from 'ml-matrix';
import { z } from 'zod';
import { ConfigError } from '#src/errors';
import type { ParameterTree } from '#src/tokenformer';
import type { CaptionPairs } from '../captionPairs.js';
import { addedParameters } from '../jointConfig.js';
import type { JointModel } from '../jointModel.js';
import { leadingDirections, ridgeRegression } from './leastSquares.js';
import { groupPath, type Imitation, measureImitations } from './measureImitations.js';
import type { StatesOf } from './objectives/index.js';

/** How bridges start from statistics of both backbones. */
export const InitBridges = z.strictObject({
  ridge: z
    .number()
    .positive()
    .default(0.1)
    .describe('λ of the ridge regression, in shares of the mean eigenvalue of its inputs'),
});
type InitBridges = z.output<typeof InitBridges>;

/** What a start was fitted to. */
export interface BridgeStart {
  readonly groups: number;
  /** Share of the variance of the targets that the regressions explain on their pairs, mean over the groups. */
  readonly explained: number;
}

/** The groups of a model that can start from statistics. */
export function imitationsOf(config: JointModel['config']): Imitation[] {
  return addedParameters(config).groups.filter((group): group is Imitation => group.imitates !== undefined);
}

/** @throws ConfigError when no bridge group of the model can start from statistics, or they start from another alignment */
export function checkInitBridges({ config }: JointModel, initFrom: unknown): void {
  if (initFrom !== undefined) {
    throw new ConfigError(
      'initBridges: expected no initFrom beside it, since both say where bridges start; leave one out',
    );
  }
  if (imitationsOf(config).length > 0) return;
  throw new ConfigError(
    `initBridges: expected bridge groups that turn image states into what text reads (imageKey, imageValue with positionValues: false, or method prefix), the model has none`,
  );
}

/**
 * Writes a start into the bridge groups that turn image states into what text reads: an image is read as its captions are, by a text
 * layer as the mean of the captions' own keys or values, in a prefix as that of their token embeddings. With X the means of what a group reads
 * and Y those of the captions, less what the backbones' groups make of the image, a row for each training pair:
 *
 *   W = argmin ‖XW − Y‖² + λ‖W‖²
 *
 * A linear group gets Kᵀ V = W, of rank n by the leading directions of XW. Under a Θ the keys are ± the n/2 leading directions, at length
 * 1, and the values a ridge regression of Y on the means of Θ(x Kᵀ). Tokens that are left keep their keys.
 */
export async function initBridges(
  model: JointModel,
  train: CaptionPairs,
  statesOf: StatesOf,
  { ridge, batchSize }: InitBridges & { readonly batchSize: number },
): Promise<BridgeStart> {
  const { tree } = model;
  const places = imitationsOf(model.config);
  const isLinear = model.config.fusion.bridge.kind === 'linear';
  for (const place of places) writeValues(tree, place, new Matrix(0, place.dOut));
  const measure = (of: 'states' | 'weights') => measureImitations({ model, places, train, statesOf, batchSize, of });
  let explained = 0;
  for (const { place, inputs, targets } of await measure('states')) {
    const map = ridgeRegression(inputs, targets, ridge); // [dIn, dOut]
    const count = isLinear ? place.numParamTokens : place.numParamTokens >> 1;
    const directions = leadingDirections(inputs.mmul(map), count); // [≤ count, dOut]
    const reading = directions.mmul(map.transpose()); // [≤ count, dIn]
    const lengths = reading.to2DArray().map((row) => Math.hypot(...row));
    const keys = reading.divColumnVector(lengths);
    await writeKeys(tree, place, isLinear ? keys : mirrored(keys));
    if (!isLinear) continue;
    const values = directions.mulColumnVector(lengths); // [≤ count, dOut]
    writeValues(tree, place, values);
    explained += explainedShare(inputs.mmul(keys.transpose()).mmul(values), targets);
  }
  for (const { place, inputs, targets } of isLinear ? [] : await measure('weights')) {
    const values = ridgeRegression(inputs, targets, ridge); // [n, dOut]
    writeValues(tree, place, values);
    explained += explainedShare(inputs.mmul(values), targets);
  }
  return { groups: places.length, explained: explained / places.length };
}

/** Every row, followed by its negative. */
function mirrored(rows: Matrix): Matrix {
  const out = new Matrix(2 * rows.rows, rows.columns);
  for (const [i, row] of rows.to2DArray().entries()) {
    out.setRow(2 * i, row);
    out.setRow(
      2 * i + 1,
      row.map((value) => -value),
    );
  }
  return out;
}

/** 1 − ‖Y − Ŷ‖² / ‖Y − mean Y‖², 0 where the rows of Y are equal but for rounding. */
function explainedShare(fitted: Matrix, targets: Matrix): number {
  const all = targets.clone().center('column').norm() ** 2;
  if (all <= Number.EPSILON * targets.norm() ** 2) return 0;
  return 1 - Matrix.sub(targets, fitted).norm() ** 2 / all;
}

/** Gives the first tokens of a group these keys. */
async function writeKeys(tree: ParameterTree, place: Imitation, rows: Matrix): Promise<void> {
  const name = `${groupPath(place)}/keyParamTokens`;
  const variable = tree.variable(name);
  const keys = Float32Array.from(await variable.data());
  keys.set(rows.to1DArray());
  tree.assign(new Map([[name, { shape: variable.shape, values: keys }]]));
}

/** Gives the first tokens of a group these values, and the others 0. */
function writeValues(tree: ParameterTree, place: Imitation, rows: Matrix): void {
  const { numParamTokens, dOut } = place;
  const all = new Float32Array(numParamTokens * dOut);
  all.set(rows.to1DArray());
  tree.assign(new Map([[`${groupPath(place)}/valueParamTokens`, { shape: [numParamTokens, dOut], values: all }]]));
}
