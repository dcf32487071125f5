/** Placeholder for a missing value. */
export const ABSENT = '–';

/** A score or a loss with three decimals; '–' when absent. */
export function formatMetric(value: number | null | undefined): string {
  if (value === null || value === undefined) return ABSENT;
  // -0.0004 would otherwise be shown as a negative zero.
  return Number.isFinite(value) ? value.toFixed(3).replace(/^-(0\.000)$/, '$1') : notFinite(value);
}

/** e^NLL for an NLL in nats per token, with four digits or, from 1,000 on, as an integer; '–' when absent. */
export function formatPerplexity(nll: number | null | undefined): string {
  if (nll === null || nll === undefined) return ABSENT;
  const perplexity = Math.exp(nll);
  return perplexity < 1000 ? perplexity.toPrecision(4) : formatCount(perplexity);
}

/** A count with thousands separators: 147,456. */
export function formatCount(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : notFinite(value);
}

/** A share in [0, 1] as a percentage of three significant digits: 11.9 %. */
export function formatShare(value: number): string {
  return Number.isFinite(value) ? `${Number((100 * value).toPrecision(3))} %` : notFinite(value);
}

/** Seconds as 42 s, 9 min 42 s, or 2 h 03 min. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return notFinite(seconds);
  const pad = (n: number): string => String(n).padStart(2, '0');
  const whole = Math.round(seconds);
  if (whole < 60) return `${seconds < 10 ? Number(seconds.toFixed(1)) : whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

function notFinite(value: number): string {
  return String(value).replace('Infinity', '∞');
}
