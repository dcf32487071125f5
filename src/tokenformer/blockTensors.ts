import type { tf } from '#src/engine';
import type { Kept, RecomputedInputs } from '#src/kernels';
import type { AttentionContext } from './attend.js';
import type { BlockLayers } from './block.js';
import { LAYER_NAMES } from './config.js';
import { type ActiveGroup, isRemote, type PattentionLayer } from './pattentionLayer.js';

/** All tensors that a block reads besides its input. */
export function blockTensors(layers: BlockLayers, context: AttentionContext | undefined): RecomputedInputs {
  const groups = [
    ...LAYER_NAMES.flatMap((name) => layers[name]),
    ...(context?.outputGroups ?? []),
    ...(context?.separate?.query ?? []),
  ].filter((active) => !isRemote(active));
  const paramTokens = (trainable: boolean): tf.Tensor[] =>
    groups
      .filter(({ group }) => group.trainable === trainable)
      .flatMap(({ group }) => [group.keyParamTokens, group.valueParamTokens]);
  // Groups under one norm have no gates.
  const gates = groups.flatMap(({ gate, norm }) => (gate && norm !== 'union' ? [gate] : []));
  const read = context ? [context.keys, context.values, context.gate ?? [], context.separate?.gate ?? []].flat() : [];
  return { differentiated: [...paramTokens(true), ...gates, ...read], constant: paramTokens(false) };
}

/** The layers of a block with the tensors that were kept of them. */
export function keptLayers(layers: BlockLayers, kept: Kept): BlockLayers {
  return Object.fromEntries(LAYER_NAMES.map((name) => [name, keptLayer(layers[name], kept)])) as unknown as BlockLayers;
}

/** A context with the tensors that were kept of it. */
export function keptContext(context: AttentionContext | undefined, kept: Kept): AttentionContext | undefined {
  if (context === undefined) return undefined;
  const { keys, values, outputGroups, gate, separate } = context;
  return {
    keys: kept(keys),
    values: kept(values),
    outputGroups: keptLayer(outputGroups, kept),
    ...(gate && { gate: kept(gate) }),
    ...(separate && { separate: { query: keptLayer(separate.query, kept), gate: kept(separate.gate) } }),
  };
}

function keptLayer(layer: PattentionLayer, kept: Kept): PattentionLayer {
  return layer.map((active): ActiveGroup => {
    if (isRemote(active)) return active;
    const { group, gate } = active;
    const [keyParamTokens, valueParamTokens] = [kept(group.keyParamTokens), kept(group.valueParamTokens)];
    return { ...active, group: { ...group, keyParamTokens, valueParamTokens }, ...(gate && { gate: kept(gate) }) };
  });
}
