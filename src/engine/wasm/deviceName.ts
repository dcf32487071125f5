import { tf } from '../shared/index.js';

/** What the device line says of wasm. */
export async function deviceName(): Promise<string> {
  await import('@tensorflow/tfjs-backend-wasm');
  return `CPU, 1 thread, ${(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')) ? 'SIMD' : 'no SIMD'}`;
}
