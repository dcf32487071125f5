/** @file What `@tensorflow/tfjs` adds to `@tensorflow/tfjs-core`; build.mjs bundles it. */
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
