/** Seconds after which a rate counts 1/e of a new one. */
const TIME_CONSTANT = 5;

/** An exponential moving average over time; the first value counts as having lasted. */
export function createSmoothRate(): (rate: number, seconds: number) => number {
  let mean: number | undefined;
  let last = 0;
  return (rate, seconds) => {
    const weight = mean === undefined ? 1 : 1 - Math.exp(-(seconds - last) / TIME_CONSTANT);
    mean = (mean ?? 0) * (1 - weight) + rate * weight;
    last = seconds;
    return mean;
  };
}
