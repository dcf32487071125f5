/** The ticks of an axis and how they are written. */
export interface AxisTicks {
  /** In ascending order. */
  readonly values: readonly number[];
  readonly labels: readonly string[];
}

/**
 * Round ticks (1, 2 or 5 times a power of ten apart) that lie within `[low, high]`, or with `cover` just around it.
 *
 * @param maxTicks about how many there may be; one or two more with `cover`
 */
export function linearTicks(low: number, high: number, maxTicks: number, cover = false): AxisTicks {
  const step = roundStep((high - low) / Math.max(1, maxTicks - 1));
  // A bound that is a tick but for rounding errors counts as one.
  const slack = 1e-9;
  const first = cover ? Math.floor(low / step + slack) : Math.ceil(low / step - slack);
  const last = cover ? Math.ceil(high / step - slack) : Math.floor(high / step + slack);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + slack));
  const values = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toFixed(decimals)));
  return { values, labels: values.map((value) => tickLabel(value, decimals)) };
}

/** Ticks at 1, 2 and 5 times the powers of ten within `[low, high]`; at powers of ten alone where those are many. */
export function logTicks(low: number, high: number, maxTicks: number): AxisTicks {
  const ladder = (factors: readonly number[]): number[] => {
    const values: number[] = [];
    for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)); power++) {
      for (const factor of factors) {
        const value = Number(`${factor}e${power}`);
        if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) values.push(value);
      }
    }
    return values;
  };
  let values = ladder([1, 2, 5]);
  if (values.length > maxTicks) values = ladder([1]);
  const every = Math.ceil(values.length / maxTicks);
  values = values.filter((_, i) => i % every === 0);
  return { values, labels: values.map((value) => tickLabel(value, Math.max(0, -Math.floor(Math.log10(value))))) };
}

function roundStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= atLeast * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function tickLabel(value: number, decimals: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(6))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(6))}k`;
  if (decimals > 4) return value === 0 ? '0' : value.toExponential(0);
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
