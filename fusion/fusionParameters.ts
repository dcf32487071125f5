import { findNormActivation } from '#src/kernels';
import { createRandom } from '#src/random';
import type { HostTensor } from '#src/storage';
import { constantTensor, createGroup } from '#src/tokenformer';
import { addedParameters, type JointModelConfig } from './jointConfig.js';

/**
 * New parameters of what the method adds: groups (keys N(0, 1/dIn), τ by the rule of Θ, values 0 or N(0, 1/tokens), as the
 * method starts them) and gates (0).
 */
export function newFusionParameters(config: JointModelConfig, seed: number): Map<string, HostTensor> {
  const normActivation = findNormActivation(config.language.backbone.stack.normActivation);
  const { groups, gates } = addedParameters(config);
  const tensors = new Map<string, HostTensor>();
  for (const { path, group, numParamTokens, dIn, dOut, start } of groups) {
    const init = {
      numParamTokens,
      dIn,
      dOut,
      keyStd: 1 / Math.sqrt(dIn),
      valueStd: start === 'silent' ? 0 : 1 / Math.sqrt(numParamTokens),
      tau: normActivation.tau(numParamTokens),
    };
    const random = createRandom(seed, 'bridge', path, group);
    for (const [name, tensor] of createGroup(path, group, init, random)) tensors.set(name, tensor);
  }
  for (const [name, shape] of gates) tensors.set(name, constantTensor([...shape], 0));
  return tensors;
}
