import type { Arguments, OptionSpec } from '#src/cli';
import { parseConfig } from '#src/config';
import { ConfigError } from '#src/errors';
import { GrowthConfig } from '#src/stacks';
import { LAYER_NAMES } from '#src/tokenformer';

/** What a model grows by. */
export const GROWTH_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  factor: {
    description:
      'every layer has x times its parameter tokens afterwards; of a Transformer, x times its width or depth',
    placeholder: 'x',
  },
  tokens: {
    description: `parameter tokens to append, by layer (${LAYER_NAMES.join(', ')}): query=64,ffn=256`,
    placeholder: 'layer=n,…',
  },
  layers: { description: 'blocks to append; each starts as the identity', placeholder: 'n' },
  hidden: { description: 'net2net, eq13: hidden units of each MLP afterwards, the width kept', placeholder: 'n' },
  noise: {
    description: 'net2net: what tells copies apart, as a share of the weights (default: 0.01)',
    placeholder: 'x',
  },
  policy: {
    description:
      'preserve (default): zero keys, the function stays; official: random tokens, τ anew; group: a new group with zero values, the function stays; of a Transformer: net2net: copies in width, the function stays; eq13: new weights beside the old ones; stack: the blocks once more on top',
    placeholder: 'name',
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
    hidden: number('hidden'),
    noise: number('noise'),
  };
  const { factor, tokens, layers, hidden } = given;
  if ([factor, tokens, layers, hidden].every((size) => size === undefined)) {
    throw new ConfigError('expected --factor, --tokens, --layers or --hidden: what the model is to grow by');
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
