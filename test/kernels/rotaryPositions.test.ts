import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { rotaryPositions, rotaryPositionsReference } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { dot } from '../support/dot.js';
import { directionalDerivative, matrix, rotary } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

const [batch, seqLen, numHeads, headDim] = [2, 5, 3, 6];
const width = numHeads * headDim;
const xs = randomValues(batch * seqLen * width, 'rotary', 'x');
const dys = randomValues(xs.length, 'rotary', 'dy');

const input = (): tf.Tensor3D => tf.tensor3d(xs, [batch, seqLen, width]);
const settings = (rotaryDims: number, startPosition = 0) => ({ numHeads, rotaryDims, startPosition, base: 10_000 });

function plain(x: ArrayLike<number>, rotaryDims: number, startPosition: number): number[] {
  const size = seqLen * width;
  return Array.from({ length: batch }, (_, b) => {
    const item = matrix(seqLen, width, Array.from(x).slice(b * size, (b + 1) * size));
    return [...rotary(item, numHeads, rotaryDims, startPosition).data];
  }).flat();
}

describeEachEngine('rotaryPositions', () => {
  it.each([
    ['a part of the head', 2, 0],
    ['four of six', 4, 0],
    ['the whole head', 6, 0],
    ['later positions', 4, 1000],
  ])('equals the formula in float64: %s', (_, rotaryDims, startPosition) => {
    const y = rotaryPositions(input(), settings(rotaryDims, startPosition));
    // Measured 4e-8 to 4e-7.
    expect(relativeError(y.dataSync(), plain(xs, rotaryDims, startPosition))).toBeLessThan(2e-6);
  });

  it('turns nothing at position 0', () => {
    const first = rotaryPositions(input(), settings(4)).slice([0, 0, 0], [batch, 1, width]);
    expect([...first.dataSync()]).toEqual([...input().slice([0, 0, 0], [batch, 1, width]).dataSync()]);
  });

  it('gives the input back when no dimension is turned', () => {
    const x = input();
    expect(rotaryPositions(x, settings(0))).toBe(x);
  });

  it('keeps the length of every vector', () => {
    const lengths = (t: tf.Tensor): Float32Array => tf.norm(t, 'euclidean', -1).dataSync() as Float32Array;
    expect(relativeError(lengths(rotaryPositions(input(), settings(6))), lengths(input()))).toBeLessThan(1e-6);
  });

  it('makes products depend on the distance of two positions alone', () => {
    const [q, k] = [
      tf.tensor3d(xs.slice(0, width), [1, 1, width]),
      tf.tensor3d(xs.slice(width, 2 * width), [1, 1, width]),
    ];
    const product = (i: number, j: number): number =>
      tf.sum(tf.mul(rotaryPositions(q, settings(6, i)), rotaryPositions(k, settings(6, j)))).dataSync()[0];
    expect(relativeError([product(9, 4)], [product(5, 0)])).toBeLessThan(1e-5);
  });

  it('has as its gradient the turn back', () => {
    const dy = tf.tensor3d(dys, [batch, seqLen, width]);
    const gradient = tf.grad((x) => rotaryPositions(x as tf.Tensor3D, settings(4, 3)))(input(), dy);
    const back = rotaryPositionsReference(dy, settings(4, 3), -1);
    expect(relativeError(gradient.dataSync(), back.dataSync())).toBeLessThan(1e-6);
    const restored = rotaryPositions(rotaryPositionsReference(input(), settings(4, 3), -1), settings(4, 3));
    expect(relativeError(restored.dataSync(), xs)).toBeLessThan(1e-6);
  });

  it('has the gradient of its definition, differentiated op by op', () => {
    const dy = tf.tensor3d(dys, [batch, seqLen, width]);
    const closed = tf.grad((x) => rotaryPositions(x as tf.Tensor3D, settings(4)))(input(), dy);
    const byOps = tf.grad((x) => rotaryPositionsReference(x as tf.Tensor3D, settings(4), 1))(input(), dy);
    expect(relativeError(closed.dataSync(), byOps.dataSync())).toBeLessThan(1e-6);
  });

  it('has the directional derivative of the formula', () => {
    const direction = randomValues(xs.length, 'rotary', 'direction');
    const dy = tf.tensor3d(dys, [batch, seqLen, width]);
    const slope = dot(
      tf
        .grad((x) => rotaryPositions(x as tf.Tensor3D, settings(4)))(input(), dy)
        .dataSync(),
      direction,
    );
    const expected = directionalDerivative((x) => dot(plain(x, 4, 0), dys), xs, direction);
    expect(relativeError([slope], [expected])).toBeLessThan(1e-4);
  });
});
