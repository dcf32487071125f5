/** @file The one import of TensorFlow.js; everything else writes `import { tf } from '#src/engine'`. */
import tf = require('@tensorflow/tfjs');

export { tf };
