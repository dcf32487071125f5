import { expect } from 'vitest';

/** max |actual − expected| / max |expected|; NaN counts as infinitely far. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const apart = Math.abs(actual[i] - expected[i]);
    difference = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(difference, apart);
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  const error = largest === 0 ? difference : difference / largest;
  if (process.env.TOKENFUSE_TEST_MEASURE === '1') {
    process.stderr.write(`${expect.getState().currentTestName}: ${error.toExponential(1)}\n`);
  }
  return error;
}
