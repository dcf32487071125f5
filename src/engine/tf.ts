/** @file The one import of TensorFlow.js; everything else writes `import { tf } from '#src/engine'`. */
export * as tf from '@tensorflow/tfjs';
