import { tf } from '#src/engine';
import { normActivationNames } from '#src/kernels';
import { type ParameterTree, pattentionLayer, readGroup } from '#src/tokenformer';
import type { GroupIdentities } from '#src/training';
import { FrameError, MAX_FRAME_BYTES, type Matrix, type SumRequest } from './frame.js';
import { treeIdentities } from './groupIdentity.js';
import { nameOf } from './groupPatterns.js';

/** Groups that this process computes with for others. */
export interface HeldGroups {
  /** In the order by which requests name them. */
  readonly groups: GroupIdentities;
  /** @throws FrameError for groups that are not held, and sizes that do not fit */
  sums(request: SumRequest): Promise<Matrix[]>;
}

/** @param paths of the groups in the tree that others may ask for */
export async function holdGroups(tree: ParameterTree, paths: readonly string[]): Promise<HeldGroups> {
  const groups = await treeIdentities(paths, tree);
  const list = [...groups];
  return {
    groups,
    sums: async ({ math, inputs, sums }) => {
      const names = normActivationNames();
      if (!names.includes(math.normActivation))
        throw new FrameError(`expected a normActivation among ${names.join(', ')}, got another`);
      const layers = sums.map((sum) => {
        const { width, rows } = inputs[sum.input];
        const [, first] = list[sum.groups[0].index] ?? [];
        const layer = sum.groups.map(({ index, linear }) => {
          const [path, sizes] = list[index] ?? [];
          if (path === undefined || sizes === undefined)
            throw new FrameError(`expected one of ${list.length} groups, got ${index}`);
          if (sizes.dIn !== width || sizes.dOut !== first?.dOut)
            throw new FrameError(
              `${path}: expected ${sizes.dIn} numbers in and ${sizes.dOut} out, got ${width} and ${first?.dOut}`,
            );
          const group = readGroup(tree, path.slice(0, -nameOf(path).length - 1), nameOf(path));
          return { group, norm: linear ? ('linear' as const) : ('own' as const) };
        });
        return { input: sum.input, rows, width: first?.dOut ?? 0, layer };
      });
      const bytes = layers.reduce((total, { rows, width }) => total + 4 * rows * width, 0);
      if (bytes > MAX_FRAME_BYTES / 2)
        throw new FrameError(`expected sums of at most ${MAX_FRAME_BYTES / 2} bytes, got ${bytes}`);
      const outputs = tf.tidy(() => {
        const tensors = inputs.map(({ rows, width, values }) => tf.tensor2d(values, [rows, width])); // [rows, dIn]
        return layers.map(({ input, layer }) => pattentionLayer(tensors[input], layer, math)); // [rows, dOut]
      });
      try {
        const values = await Promise.all(outputs.map((output) => output.data()));
        return layers.map(({ rows, width }, i) => ({ rows, width, values: values[i] as Float32Array }));
      } finally {
        tf.dispose(outputs);
      }
    },
  };
}
