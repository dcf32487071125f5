import { findNormActivation } from '#src/kernels';
import { createRandom } from '#src/random';
import type { HostTensor } from '#src/storage';
import {
  type AppendedGroup,
  createGroup,
  initialStds,
  LAYER_NAMES,
  layerPath,
  stackGroups,
  type TokenFormerConfig,
} from '#src/tokenformer';

/** A stack with one more group in every block. */
export function withGroup<Stack extends TokenFormerConfig>(stack: Stack, group: AppendedGroup): Stack {
  return { ...stack, appendedGroups: [...(stack.appendedGroups ?? []), group] };
}

/** A stack without one of its groups, as it was before that was appended. */
export function withoutGroup<Stack extends TokenFormerConfig>(stack: Stack, name: string): Stack {
  const { appendedGroups = [], ...rest } = stack;
  const left = appendedGroups.filter((group) => group.name !== name);
  return { ...rest, ...(left.length > 0 && { appendedGroups: left }) } as Stack;
}

/**
 * New parameters of a group appended to a stack. Its values are 0, so the model computes what it did without it. Keys are
 * N(0, 0.02²), those of a linear group N(0, 1/dModel) as in LoRA; τ by its Θ.
 *
 * @param backbone `language`: the group is called `language.<name>`
 */
export function newTaskGroup(
  backbone: string,
  stack: TokenFormerConfig,
  group: AppendedGroup,
  seed: number,
): Map<string, HostTensor> {
  const [, { name, paramTokens }] = stackGroups({ ...stack, appendedGroups: [group] }, backbone);
  const tensors = new Map<string, HostTensor>();
  for (let l = 0; l < stack.numLayers; l++) {
    for (const layer of LAYER_NAMES) {
      const numParamTokens = paramTokens[layer];
      if (numParamTokens === 0) continue;
      const path = layerPath(l, layer);
      const init = {
        numParamTokens,
        dIn: stack.dModel,
        dOut: stack.dModel,
        keyStd: group.kind === 'linear' ? 1 / Math.sqrt(stack.dModel) : initialStds(stack).keyStd,
        valueStd: 0,
        tau: findNormActivation(stack.normActivation).tau(numParamTokens),
      };
      for (const [tensorName, tensor] of createGroup(path, name, init, createRandom(seed, 'tune', name, path))) {
        tensors.set(tensorName, tensor);
      }
    }
  }
  return tensors;
}
