/** The ticks of an axis and their labels. */
export interface AxisTicks {
  /** In ascending order. */
  readonly values: readonly number[];
  readonly labels: readonly string[];
}

/**
 * Round ticks (1, 2 or 5 times a power of ten apart) within `[low, high]`, or enclosing it with `cover`.
 *
 * @param maxTicks approximate maximum number of ticks; one or two more with `cover`
 * @param minStep minimum distance between ticks, such as 1 for counts
 */
export function linearTicks(
  low: number,
  high: number,
  maxTicks: number,
  { cover = false, minStep = 0 }: { readonly cover?: boolean; readonly minStep?: number } = {},
): AxisTicks {
  const step = roundStep(Math.max(minStep, (high - low) / Math.max(1, maxTicks - 1)));
  // A bound that equals a tick up to rounding errors counts as one.
  const slack = 1e-9;
  const first = cover ? Math.floor(low / step + slack) : Math.ceil(low / step - slack);
  const last = cover ? Math.ceil(high / step - slack) : Math.floor(high / step + slack);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + slack));
  const values = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toFixed(decimals)));
  return { values, labels: linearLabels(values, decimals) };
}

/** Multiples of the powers of ten, from fine to coarse. */
const LADDERS = [[1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8], [1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1]];

/** Round ticks on a logarithmic axis that enclose `[low, high]`, both positive: at most about `maxTicks`. */
export function logTicks(low: number, high: number, maxTicks: number): AxisTicks {
  const ladders = LADDERS.map((factors) => coveringTicks(low, high, factors));
  let values = ladders.find((ticks) => ticks.length <= maxTicks) ?? ladders[ladders.length - 1];
  const every = Math.ceil((values.length - 1) / maxTicks);
  if (every > 1) {
    // Whole strides, so that the last one still reaches the highest value.
    const strides = Math.ceil((values.length - 1) / every);
    const lowest = Math.log10(values[0]);
    values = Array.from({ length: strides + 1 }, (_, i) => Number(`1e${Math.round(lowest) + i * every}`));
  }
  return { values, labels: values.map(logLabel) };
}

/** Each label as short as possible: across powers of ten, a common number of decimals is not useful. */
function logLabel(value: number): string {
  if (value < 1e-3 || value >= 1e6) return value.toExponential().replace('+', '');
  return value.toLocaleString('en-US', { maximumFractionDigits: 4 });
}

/** The multiples within `[low, high]`, the next one below and the next one above. */
function coveringTicks(low: number, high: number, factors: readonly number[]): number[] {
  const values: number[] = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)) + 1; power++) {
    for (const factor of factors) values.push(Number(`${factor}e${power}`));
  }
  const first = values.findLastIndex((value) => value <= low * (1 + 1e-9));
  let last = values.findIndex((value) => value >= high * (1 - 1e-9));
  if (last === first) last++;
  return values.slice(first, last + 1);
}

function roundStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= atLeast * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** Labels with a common number of decimals, in thousands or millions if the longest would be too long. */
function linearLabels(values: readonly number[], decimals: number): string[] {
  const largest = Math.max(...values.map(Math.abs));
  const [unit, letter] = largest >= 1e6 ? [1e6, 'M'] : largest >= 1e4 ? [1e3, 'k'] : [1, ''];
  return values.map((value) => {
    if (value === 0 && (letter !== '' || decimals > 4)) return '0';
    if (letter !== '') return `${Number((value / unit).toPrecision(6))}${letter}`;
    if (decimals > 4) return value.toExponential(0);
    return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  });
}
