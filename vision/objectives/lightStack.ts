import type { StackConfig } from '#src/stacks';

/** A stack beside the backbone's, of its kind but of another size: with a TokenFormer, dModel parameter tokens a layer and 4 dModel in the FFN. */
export function lightStack(
  backbone: StackConfig,
  size: { readonly dModel: number; readonly numLayers: number; readonly numHeads: number },
): StackConfig {
  if (backbone.kind === 'transformer') return { ...backbone, ...size, mlpHidden: undefined };
  return {
    ...backbone,
    ...size,
    appendedGroups: undefined,
    qkvParamTokens: size.dModel,
    outputParamTokens: size.dModel,
    ffnParamTokens: 4 * size.dModel,
  };
}
