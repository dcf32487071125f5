import { LAYER_PATHS } from './block.js';
import type { ParamTokenUsage } from './paramTokenUsage.js';

/** How much the parameter tokens of each group write, |S_i| ‖V_i‖₂, by `use/<group>/block<n>/<layer>`: histograms for TensorBoard. */
export function usageHistograms(usage: readonly ParamTokenUsage[]): Record<string, Float64Array> {
  const entries = usage.map(({ block, layer, group, use }): [string, Float64Array] => [
    usageTag(`block${block}/${LAYER_PATHS[layer]}`, group),
    use,
  ]);
  // What is not finite ends the run by itself, at its next step.
  return Object.fromEntries(entries.filter(([, use]) => use.every(Number.isFinite)));
}

/** @param layerPath `block0/attention/key` */
export function usageTag(layerPath: string, group: string): string {
  return `use/${group}/${layerPath}`;
}
