import type { FusedKernelFunctions, tf } from '../../shared/index.js';
import { type KernelContext, sizeOf } from './context.js';
import { floatBits } from './numbers.js';

/** Tensors of one launch, as source/optimizer.cu has places for them. */
const MAX_ADAMW_TENSORS = 96;
const MAX_NORM_TENSORS = 192;
const THREADS = 256;
/** Numbers of one entry of a launch of the norm, and those that one of its blocks adds up, about. */
const NORM_PIECE = 1 << 21;
const NORM_NUMBERS = 1 << 15;

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** As many numbers as there are places; zeros behind. */
function filled(numbers: readonly number[], places: number): number[] {
  return Array.from({ length: places }, (_, i) => numbers[i] ?? 0);
}

/** `AdamWUpdate` and `SquaredNorm`, as src/kernels defines them: all tensors of a model in one or a few launches. */
export function optimizerKernels(context: KernelContext): FusedKernelFunctions<'AdamWUpdate' | 'SquaredNorm'> {
  const { commands, facts } = context;
  const blocksFor = (tensors: readonly tf.TensorInfo[], each: number): number => {
    const largest = Math.max(1, ...tensors.map(({ shape }) => sizeOf(shape)));
    return Math.max(1, Math.min(Math.ceil(largest / each), 4 * facts.multiprocessors));
  };
  return {
    AdamWUpdate: ({ params, gradients, m, v }, attributes) => {
      const { learningRate, beta1, beta2, epsilon, step, gradientScale, weightDecays } = attributes;
      const places = Array.from(params.keys()).filter((i) => sizeOf(params[i].shape) > 0);
      for (const some of chunks(places, MAX_ADAMW_TENSORS)) {
        const tensors = some.map((i) => params[i]);
        const addresses = new Array<number>(4 * MAX_ADAMW_TENSORS).fill(0);
        const sizes = new Int32Array(2 * MAX_ADAMW_TENSORS);
        for (const [place, i] of some.entries()) {
          addresses[place] = context.ownAddress(params[i]);
          addresses[place + MAX_ADAMW_TENSORS] = context.address(gradients[i]);
          addresses[place + 2 * MAX_ADAMW_TENSORS] = context.ownAddress(m[i]);
          addresses[place + 3 * MAX_ADAMW_TENSORS] = context.ownAddress(v[i]);
          sizes[place] = sizeOf(params[i].shape);
          sizes[place + MAX_ADAMW_TENSORS] = floatBits(1 - learningRate * weightDecays[i]);
        }
        commands.launch(
          context.kernel('adam_w'),
          { grid: [blocksFor(tensors, 8 * THREADS), some.length], threads: THREADS },
          [
            ...[{ addresses }, { ints: sizes }, { float: gradientScale }],
            ...[{ float: beta1 }, { float: 1 - beta1 }, { float: beta2 }, { float: 1 - beta2 }],
            ...[{ float: learningRate / (1 - beta1 ** step) }, { float: 1 - beta2 ** step }, { float: epsilon }],
          ],
        );
      }
      return [];
    },

    SquaredNorm: ({ tensors }) => {
      const sum = context.output([]);
      // Large tensors in pieces, so that all are about as long.
      const places = tensors.flatMap((tensor) => {
        const count = sizeOf(tensor.shape);
        return Array.from({ length: Math.ceil(count / NORM_PIECE) }, (_, i) => ({
          address: context.address(tensor) + i * NORM_PIECE * 4,
          count: Math.min(NORM_PIECE, count - i * NORM_PIECE),
        }));
      });
      const largest = Math.max(1, ...places.map(({ count }) => count));
      const blocks = Math.ceil(largest / NORM_NUMBERS);
      const parts = places.length * blocks;
      const partial = context.scratch(parts * 8);
      let firstPartial = 0;
      for (const some of chunks(places, MAX_NORM_TENSORS)) {
        const addresses = filled(
          some.map(({ address }) => address),
          MAX_NORM_TENSORS,
        );
        const ints = filled(
          some.map(({ count }) => count),
          MAX_NORM_TENSORS,
        );
        commands.launch(context.kernel('squared_norm_parts'), { grid: [blocks, some.length], threads: THREADS }, [
          ...[{ addresses }, { ints }, { address: partial }, { int: firstPartial }],
        ]);
        firstPartial += some.length * blocks;
      }
      const args = [{ address: partial }, { int: parts }, { address: context.address(sum) }];
      commands.launch(context.kernel('squared_norm_sum'), { grid: [1], threads: THREADS }, args);
      return [sum];
    },
  };
}
