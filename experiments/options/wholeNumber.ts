import type { Arguments } from '#src/cli';
import { ConfigError } from '#src/errors';

/** An option that is a whole number of at least `least`; `otherwise` where it was not given. */
export function wholeNumber(args: Arguments, name: string, least: number, otherwise: number): number {
  const text = args.text(name);
  if (text === undefined) return otherwise;
  if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
  throw new ConfigError(`--${name}: expected a whole number from ${least}, got '${text}'`);
}
