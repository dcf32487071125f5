import type { PlainKernel, StockKernels } from '../../shared/index.js';
import { tf } from '../../shared/index.js';
import type { KernelContext } from './kernelContext.js';

/** Faster arithmetic of TensorFlow.js's own kernels; what is not covered here goes to the stock ones. */
export function arithmeticKernels(
  context: KernelContext,
): Record<'Exp' | 'Erf' | 'Tanh', PlainKernel> & StockKernels<'Sum' | 'UnsortedSegmentSum'> {
  const { module, address } = context;
  const elementwise =
    (kernelName: string, run: (x: number, output: number, count: number) => number): PlainKernel =>
    ({ x }) => {
      if (x.dtype !== 'float32') return context.stockPlain(kernelName, { x });
      const output = context.output(x.shape);
      run(address(x), address(output), tf.util.sizeFromShape(x.shape));
      return output;
    };
  return {
    Exp: elementwise(tf.Exp, module.exp),
    Erf: elementwise(tf.Erf, module.erf),
    Tanh: elementwise(tf.Tanh, module.tanh),
    Sum: ({ x }, { axis, keepDims }) => {
      const axes = tf.util.parseAxisParam(axis, x.shape);
      // The stock kernel transposes x first, unless the summed axes are the last ones.
      const leading = axes.length < x.shape.length && axes.every((each, i) => each === i);
      if (!leading || x.dtype !== 'float32') return context.stock('Sum', { x }, { axis, keepDims });
      const inner = x.shape.slice(axes.length);
      const output = context.output(keepDims ? [...axes.map(() => 1), ...inner] : inner);
      const rows = tf.util.sizeFromShape(x.shape.slice(0, axes.length));
      module.sumRows(address(x), address(output), rows, tf.util.sizeFromShape(inner));
      return output;
    },
    UnsortedSegmentSum: ({ x, segmentIds }, { numSegments }) => {
      const inner = x.shape.slice(segmentIds.shape.length);
      const output = context.output([numSegments, ...inner], x.dtype);
      const rows = tf.util.sizeFromShape(segmentIds.shape);
      const tensors = [x, segmentIds, output].map(address);
      const integers = x.dtype === 'float32' ? 0 : 1;
      module.segmentSum(...tensors, rows, tf.util.sizeFromShape(inner), numSegments, integers);
      return output;
    },
  };
}
