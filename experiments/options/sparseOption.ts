import type { Arguments, OptionSpec } from '#src/cli';
import { ConfigError } from '#src/errors';
import { parseSparsity, SPARSITY_FORMS, type Sparsity } from '#src/tokenformer';

/** For commands that run a trained model: fewer parameter tokens for each token. */
export const SPARSE_OPTION: Readonly<Record<string, OptionSpec>> = {
  sparse: {
    description:
      'parameter tokens of each group that a token uses (default: all): those of the largest weights, as 64 or 25%, or ' +
      'those in the best clusters of keys, as clusters:8/64; docs/sparse.md',
    placeholder: 'k',
  },
};

/**
 * What `--sparse` asks for; undefined without it.
 *
 * @throws ConfigError for anything but one of its forms
 */
export function sparsityOf(args: Arguments): Sparsity | undefined {
  const text = args.text('sparse');
  if (text === undefined) return undefined;
  const sparsity = parseSparsity(text);
  if (sparsity === undefined) throw new ConfigError(`--sparse: expected ${SPARSITY_FORMS}, got '${text}'`);
  return sparsity;
}
