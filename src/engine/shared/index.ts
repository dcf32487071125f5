/** @file What engines share. */
export { axisSwap } from './axisSwap.js';
export { batchPlaces, matMulShapes } from './matMulShapes.js';
export { forNormActivations } from './normActivations.js';
export {
  callKernel,
  callOne,
  type KernelResult,
  type PlainKernel,
  registerKernels,
  repairKernels,
  type ShippedKernel,
  type StockAttributes,
  type StockKernels,
  type Tensors,
} from './registerKernels.js';
export { rotaryTable, rotaryTables } from './rotaryTable.js';
