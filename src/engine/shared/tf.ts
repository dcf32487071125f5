/// <reference types="@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js" preserve="true" />
/** @file The one import of TensorFlow.js; everything else writes `import { tf } from '#src/engine'`. */
import tf = require('@tensorflow/tfjs-core');

import { addToCore } from '../coreAdditions/index.js';
import { registerSumGradients } from './sumGradients.js';

addToCore();
registerSumGradients(tf);

export { tf };
