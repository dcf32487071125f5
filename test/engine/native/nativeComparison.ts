export {
  addon,
  describeNative,
  differences,
  normalNumbers,
  relativeDifference,
  resultsOn,
} from '../../support/kernelComparison.js';
