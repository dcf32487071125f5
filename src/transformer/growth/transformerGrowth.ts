import type { HostTensor } from '#src/storage';
import type { TransformerConfig } from '../config.js';

/** What the numbers of a tensor are: of a parameter, or a mean of its gradient or of that squared. */
export type TensorKind = 'value' | 'firstMoment' | 'secondMoment';

/** A way from a small Transformer to a larger one, as a map of tensors. */
export interface TransformerGrowth {
  /** Of the larger one. */
  readonly config: TransformerConfig;
  /** What becomes of one tensor of the small model; those that the stack does not own come here too. */
  grow(name: string, tensor: HostTensor, kind: TensorKind): readonly (readonly [string, HostTensor])[];
}

/** The parameters of the larger model, by name. */
export function growParameters(
  { grow }: TransformerGrowth,
  tensors: ReadonlyMap<string, HostTensor>,
): Map<string, HostTensor> {
  return new Map([...tensors].flatMap(([name, tensor]) => grow(name, tensor, 'value')));
}

/**
 * AdamW's moments for the larger model, as they would be had its gradients been what they are at the moment of growth.
 *
 * @param moments by `<parameter>/adamM` and `<parameter>/adamV`, as a checkpoint holds them
 */
export function growMoments(
  { grow }: TransformerGrowth,
  moments: ReadonlyMap<string, HostTensor>,
): Map<string, HostTensor> {
  return new Map(
    [...moments].flatMap(([key, tensor]) => {
      const end = key.lastIndexOf('/');
      const [name, suffix] = [key.slice(0, end), key.slice(end)];
      const kind = suffix === '/adamM' ? 'firstMoment' : 'secondMoment';
      return grow(name, tensor, kind).map(([grown, numbers]) => [`${grown}${suffix}`, numbers] as const);
    }),
  );
}
