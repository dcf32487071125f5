import type { Arguments, OptionSpec } from '#src/cli';
import { parseConfig } from '#src/config';
import { ConfigError } from '#src/errors';
import { GROWTH_POLICIES, GrowthConfig, LAYER_NAMES } from '#src/tokenformer';

/** What a model grows by. */
export const GROWTH_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  factor: { description: 'every layer has x times its parameter tokens afterwards', placeholder: 'x' },
  tokens: {
    description: `parameter tokens to append, by layer (${LAYER_NAMES.join(', ')}): query=64,ffn=256`,
    placeholder: 'layer=n,…',
  },
  layers: { description: 'blocks to append; each starts as the identity', placeholder: 'n' },
  policy: {
    description:
      'preserve (default): zero keys, the function stays; official: random tokens, τ anew; group: a new group with zero values, the function stays',
    placeholder: GROWTH_POLICIES.join('|'),
  },
};

/** The growth that the options describe. @throws ConfigError naming the option */
export function growthOf(args: Arguments): GrowthConfig {
  const number = (name: string): number | undefined => {
    const text = args.text(name);
    if (text === undefined) return undefined;
    if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
    throw new ConfigError(`--${name}: expected a number, got '${text}'`);
  };
  const given = {
    policy: args.text('policy'),
    factor: number('factor'),
    tokens: tokensByLayer(args.text('tokens')),
    layers: number('layers'),
  };
  if (given.factor === undefined && given.tokens === undefined && given.layers === undefined) {
    throw new ConfigError('expected --factor, --tokens or --layers: what the model is to grow by');
  }
  const growth = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return parseConfig(growth, GrowthConfig, 'growth');
}

/** `query=64,ffn=256` */
export function tokensByLayer(text: string | undefined): Record<string, number> | undefined {
  if (text === undefined) return undefined;
  const entries = text.split(',').map((part): [string, number] => {
    const match = /^(\w+)=(\d{1,9})$/.exec(part.trim());
    if (!match || !LAYER_NAMES.some((layer) => layer === match[1])) {
      throw new ConfigError(
        `--tokens: expected <layer>=<number> with layers ${LAYER_NAMES.join(', ')}, as in query=64,ffn=256; got '${part}'`,
      );
    }
    return [match[1], Number(match[2])];
  });
  const twice = entries.find(([layer], i) => entries.findIndex(([other]) => other === layer) !== i);
  if (twice) throw new ConfigError(`--tokens: expected each layer once, got ${twice[0]} twice`);
  return Object.fromEntries(entries);
}
