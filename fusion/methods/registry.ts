import { ConfigError, didYouMean } from '#src/errors';
import { crossAttention } from './crossAttention.js';
import type { FusionMethod } from './fusionMethod.js';
import { grouped } from './grouped.js';
import { prefix } from './prefix.js';
import { routed } from './routed.js';
import { union } from './union.js';

const builtIn = [routed, grouped, union, crossAttention, prefix];

const methods = new Map(builtIn.map((method) => [method.name, method]));

/** Whether a method is part of this project, and not of a plugin. */
export function isBuiltInMethod(method: FusionMethod): boolean {
  return builtIn.includes(method);
}

/**
 * Makes a method known by its name to recipes and merged checkpoints.
 *
 * @throws ConfigError when another method has the name
 */
export function registerFusionMethod(method: FusionMethod): void {
  const known = methods.get(method.name);
  if (known === method) return;
  if (known !== undefined) {
    throw new ConfigError(
      `registerFusionMethod: expected a new name, got '${method.name}', which is registered already`,
    );
  }
  methods.set(method.name, method);
}

/** The registered methods, the built-in ones first. */
export function fusionMethods(): FusionMethod[] {
  return [...methods.values()];
}

/** @throws ConfigError for a name that is not registered, with the known ones */
export function fusionMethod(name: string): FusionMethod {
  const method = methods.get(name);
  if (method === undefined) throw new ConfigError(`fusion method: ${unknownFusionMethod(name)}`);
  return method;
}

/** The message for a name that is not registered. */
export function unknownFusionMethod(name: string): string {
  const known = [...methods.keys()];
  return `expected ${known.join(', ')}; got '${name}'${didYouMean(name, known)}; --plugin <file> registers a method of your own`;
}
