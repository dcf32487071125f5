import type { HostTensor } from '#src/storage';
import { LAYER_NAMES, stackGroups, type TokenFormerConfig, withParamTokens } from './config.js';
import type { ParameterTree } from './parameterTree.js';
import { prefixTau } from './paramTokens.js';
import { layerPath } from './stack.js';
import { type TokenAmount, tokensIn } from './tokenAmount.js';

/**
 * A stack with only the first parameter tokens of each group. Over the parameters of the whole one it is a smaller model: every
 * layer uses as many of its tokens as its configuration says.
 *
 * @param whole names of appended groups that keep all of their tokens
 */
export function prefixStack(
  config: TokenFormerConfig,
  amount: TokenAmount,
  whole: readonly string[] = [],
): TokenFormerConfig {
  return withParamTokens(config, (group, _, tokens) =>
    group !== undefined && whole.includes(group) ? tokens : tokensIn(amount, tokens),
  );
}

/**
 * The parameters of a prefix: the first rows of keys and values, τ as `prefixTau`; all others as they are.
 *
 * @param to what `prefixStack` made of the stack that these are the parameters of
 */
export function prefixParameters(
  tensors: ReadonlyMap<string, HostTensor>,
  to: TokenFormerConfig,
  groupName: string,
): Map<string, HostTensor> {
  const { normActivation } = to;
  const smaller = new Map(tensors);
  for (const { name, paramTokens } of stackGroups(to, groupName)) {
    for (const layer of LAYER_NAMES) {
      const numParamTokens = paramTokens[layer];
      for (let block = 0; numParamTokens > 0 && block < to.numLayers; block++) {
        const path = `${layerPath(block, layer)}/${name}`;
        const read = (what: string): HostTensor => tensors.get(`${path}/${what}`) as HostTensor;
        if (numParamTokens >= read('keyParamTokens').shape[0]) continue;
        for (const what of ['keyParamTokens', 'valueParamTokens']) {
          const { shape, values } = read(what);
          const rows = { shape: [numParamTokens, shape[1]], values: values.slice(0, numParamTokens * shape[1]) };
          smaller.set(`${path}/${what}`, rows);
        }
        const tau = prefixTau(read('tau').values[0], { numParamTokens, normActivation });
        smaller.set(`${path}/tau`, { shape: [], values: Float32Array.of(tau) });
      }
    }
  }
  return smaller;
}

/** Cuts the parameters of a stack in memory down to those of a prefix; what is left out is freed. */
export async function cutToPrefix(tree: ParameterTree, to: TokenFormerConfig, groupName: string): Promise<void> {
  tree.replace(prefixParameters(await tree.toHost(), to, groupName));
}
