import { tf } from './tf.js';

/** Inputs of TensorFlow.js' own kernels by name, or in order for kernels of any number of tensors. */
export type Tensors = Readonly<Record<string, tf.TensorInfo>>;

export type KernelResult = tf.TensorInfo | tf.TensorInfo[];

/** Attributes of TensorFlow.js' own kernels that engines replace. */
export interface StockAttributes {
  All: tf.AllAttrs;
  Any: tf.AnyAttrs;
  ArgMax: tf.ArgMaxAttrs;
  ArgMin: tf.ArgMinAttrs;
  BatchMatMul: tf.BatchMatMulAttrs;
  Cast: tf.CastAttrs;
  ClipByValue: tf.ClipByValueAttrs;
  Concat: tf.ConcatAttrs;
  Fill: tf.FillAttrs;
  GatherV2: tf.GatherV2Attrs;
  LeakyRelu: tf.LeakyReluAttrs;
  Max: tf.MaxAttrs;
  Mean: tf.MeanAttrs;
  Min: tf.MinAttrs;
  OneHot: tf.OneHotAttrs;
  Pack: tf.PackAttrs;
  PadV2: tf.PadV2Attrs;
  Prod: tf.ProdAttrs;
  Reverse: tf.ReverseAttrs;
  Slice: tf.SliceAttrs;
  Softmax: tf.SoftmaxAttrs;
  SplitV: tf.SplitVAttrs;
  Step: tf.StepAttrs;
  StridedSlice: tf.StridedSliceAttrs;
  Sum: tf.SumAttrs;
  Tile: tf.TileAttrs;
  Transpose: tf.TransposeAttrs;
  Unpack: tf.UnpackAttrs;
  UnsortedSegmentSum: tf.UnsortedSegmentSumAttrs;
  _FusedMatMul: tf._FusedMatMulAttrs;
}

/** Kernels in the place of TensorFlow.js' own, with the attributes it gives them. */
export type StockKernels<Names extends keyof StockAttributes> = {
  readonly [Name in Names]: (inputs: Tensors, attributes: StockAttributes[Name]) => KernelResult;
};

/** A kernel that has no attributes. */
export type PlainKernel = (inputs: Tensors) => KernelResult;

/** Any kernel; who calls it by name knows its inputs and attributes. */
type AnyKernel = (inputs: never, attributes: never, backend: never) => KernelResult;

/** Wraps a call of a kernel: `run` makes it. */
type Around = (kernelName: string, backend: unknown, run: () => KernelResult) => KernelResult;

/**
 * Registers kernels for a backend, replacing those that it came with. Only here do the types of the contract
 * and of TensorFlow.js' attributes meet its kernels, which have none.
 *
 * @param around wraps every call
 */
export function registerKernels(
  backendName: string,
  kernels: Readonly<Record<string, AnyKernel>>,
  around: Around = (_name, _backend, run) => run(),
): void {
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    const call = kernel as (inputs: unknown, attributes: unknown, backend: unknown) => KernelResult;
    // Registering over a kernel warns, so the old one goes first.
    if (tf.getKernel(kernelName, backendName) != null) tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => around(kernelName, backend, () => call(inputs, attrs ?? {}, backend)),
    });
  }
}

/** Calls a kernel of a backend directly, without a tensor of TensorFlow.js around its results. */
export function callKernel(
  config: Pick<tf.KernelConfig, 'kernelFunc'>,
  inputs: Tensors | readonly tf.TensorInfo[],
  attributes: object,
  backend: unknown,
): KernelResult {
  const call = config.kernelFunc as unknown as (args: object) => KernelResult;
  return call({ inputs, attrs: attributes, backend });
}

/** The kernel that a backend came with. */
export type ShippedKernel = (
  inputs: Tensors | readonly tf.TensorInfo[],
  attributes: object,
  backend: unknown,
) => tf.TensorInfo;

/** Puts kernels in place that are made from those a backend came with; `shipped` throws where there was none. */
export function repairKernels(
  backendName: string,
  repairs: Readonly<Record<string, (shipped: ShippedKernel) => AnyKernel>>,
): void {
  for (const [kernelName, repair] of Object.entries(repairs)) {
    const config = tf.getKernel(kernelName, backendName);
    const repaired = repair((inputs, attributes, backend) => callOne(config, inputs, attributes, backend));
    registerKernels(backendName, { [kernelName]: repaired });
  }
}

/** `callKernel` of a kernel with one result. */
export function callOne(...call: Parameters<typeof callKernel>): tf.TensorInfo {
  const result = callKernel(...call);
  return Array.isArray(result) ? result[0] : result;
}
