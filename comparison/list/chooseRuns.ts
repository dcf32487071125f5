import { type ConfigValue, configValues } from '#src/config';
import { ConfigError, didYouMean } from '#src/errors';
import { type FoundRun, RUN_KINDS, RUN_STATES, type RunSummary } from '../reading/index.js';

/** A run with what is known of it. */
export interface ListedRun {
  readonly found: FoundRun;
  readonly summary: RunSummary;
}

/** Which runs are listed, in the words of the command line; all unless given. */
export interface RunFilters {
  /** Separated by commas. */
  readonly kinds?: string | undefined;
  readonly states?: string | undefined;
  /** A part of the path. */
  readonly name?: string | undefined;
  /** `training.steps=600`, `seed>3`: all must hold. */
  readonly where?: readonly string[] | undefined;
}

/** What decides whether a run is listed. @throws ConfigError for a word that is no kind, state or condition */
export function runFilter(filters: RunFilters): (run: ListedRun) => boolean {
  const kinds = words('kind', filters.kinds, RUN_KINDS);
  const states = words('state', filters.states, RUN_STATES);
  const conditions = (filters.where ?? []).map(condition);
  return ({ found, summary }) =>
    (kinds === undefined || kinds.includes(summary.kind)) &&
    (states === undefined || states.includes(summary.state)) &&
    (filters.name === undefined || summary.path.includes(filters.name)) &&
    (conditions.length === 0 || holdsAll(conditions, found));
}

function holdsAll(conditions: readonly Condition[], { config }: FoundRun): boolean {
  if (config === undefined) return false;
  const values = configValues(config);
  return conditions.every(({ key, holds }) => values.has(key) && holds(values.get(key) as ConfigValue));
}

function words(option: string, text: string | undefined, known: readonly string[]): string[] | undefined {
  if (text === undefined) return undefined;
  const given = text.split(',').map((word) => word.trim());
  const other = given.find((word) => !known.includes(word));
  if (other === undefined) return given;
  throw new ConfigError(`--${option}: expected ${known.join(', ')}; got '${other}'${didYouMean(other, known)}`);
}

interface Condition {
  readonly key: string;
  holds(value: ConfigValue): boolean;
}

const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
};

function condition(text: string): Condition {
  const match = /^([^=<>!]+)(<=|>=|!=|=|<|>)(.*)$/.exec(text);
  if (match === null) throw new ConfigError(`--where: expected key=value, with =, !=, <, <=, > or >=; got '${text}'`);
  const [, key, sign, given] = match;
  if (sign === '=') return { key, holds: (value) => String(value) === given };
  if (sign === '!=') return { key, holds: (value) => String(value) !== given };
  const bound = Number(given);
  if (given.trim() === '' || Number.isNaN(bound)) {
    throw new ConfigError(`--where: expected a number after ${key}${sign}, got '${given}'`);
  }
  return { key, holds: (value) => typeof value === 'number' && COMPARISONS[sign](value, bound) };
}

/** What runs can be sorted by; numbers and times from the lowest, `name` by path. */
const SORT_KEYS = {
  name: ({ path }: RunSummary) => path,
  kind: ({ kind }: RunSummary) => kind,
  state: ({ state }: RunSummary) => state,
  steps: ({ step }: RunSummary) => step,
  best: ({ best }: RunSummary) => best,
  last: ({ last }: RunSummary) => last,
  time: ({ seconds }: RunSummary) => seconds,
  size: ({ bytes }: RunSummary) => bytes,
  started: ({ started }: RunSummary) => started,
} as const;
export const RUN_SORT_KEYS = Object.keys(SORT_KEYS) as readonly (keyof typeof SORT_KEYS)[];

/**
 * Sorts runs; those without the value come last, equal ones stay in the order of their paths.
 *
 * @throws ConfigError for a key that is none
 */
export function sortedRuns(runs: readonly ListedRun[], key: string, reverse: boolean): ListedRun[] {
  const known = RUN_SORT_KEYS.find((each) => each === key);
  if (known === undefined) {
    throw new ConfigError(
      `--sort: expected ${RUN_SORT_KEYS.join(', ')}; got '${key}'${didYouMean(key, RUN_SORT_KEYS)}`,
    );
  }
  const read = SORT_KEYS[known];
  return [...runs].sort((one, other) => {
    const [a, b] = [read(one.summary), read(other.summary)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    const order = a < b ? -1 : a > b ? 1 : 0;
    return reverse ? -order : order;
  });
}
