import { ConfigError, didYouMean } from '#src/errors';
import { isNormActivation, NORM_ACTIVATIONS, type NormActivation, normActivationNames } from './normActivations.js';

interface Field {
  readonly expected: string;
  readonly test: (value: unknown) => boolean;
}

const text: Field = { expected: 'a text', test: (value) => typeof value === 'string' && value !== '' };
const code: Field = { expected: 'a function', test: (value) => typeof value === 'function' };
const optional = ({ expected, test }: Field): Field => ({
  expected: `${expected} or nothing`,
  test: (value) => value === undefined || test(value),
});

const FIELDS: Readonly<Record<keyof NormActivation, Field>> = {
  name: { expected: 'a name in camelCase', test: (value) => /^[a-z][a-zA-Z0-9]*$/.test(String(value)) },
  description: text,
  equation: text,
  source: optional(text),
  weights: code,
  gradient: optional(code),
  tau: code,
  unionTau: optional(code),
  partTau: optional(code),
  exactZeroKeys: { expected: 'true or false', test: (value) => typeof value === 'boolean' },
};

/**
 * Adds a Θ of your own, which configurations can name from then on. Engines without a kernel for it run its
 * definition.
 *
 * @throws ConfigError for a name that is taken, and for every field that is missing, wrong or unknown
 */
export function registerNormActivation(entry: NormActivation): void {
  const fields: Readonly<Record<string, unknown>> = { ...entry };
  const what = `norm activation '${fields.name}'`;
  const wrong = Object.entries(FIELDS)
    .filter(([key, { test }]) => !test(fields[key]))
    .map(([key, { expected }]) => `${what}: ${key}: expected ${expected}, got ${typeof fields[key]}`);
  const known = Object.keys(FIELDS);
  const unknown = Object.keys(fields)
    .filter((key) => !known.includes(key))
    .map((key) => `${what}: unknown field '${key}'${didYouMean(key, known)}; known: ${known.join(', ')}`);
  if (wrong.length + unknown.length > 0) throw new ConfigError([...wrong, ...unknown]);
  if (isNormActivation(entry.name)) {
    throw new ConfigError(`${what}: expected a new name; taken: ${normActivationNames().join(', ')}`);
  }
  NORM_ACTIVATIONS.set(entry.name, entry);
}
