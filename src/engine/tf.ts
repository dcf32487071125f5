/// <reference types="@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js" preserve="true" />
/** @file The one import of TensorFlow.js; everything else writes `import { tf } from '#src/engine'`. */
import '@tensorflow/tfjs-backend-cpu';
import { addToCore } from './coreAdditions/index.js';

export * as tf from '@tensorflow/tfjs-core';

addToCore();
