import type { Engine } from '../shared/index.js';
import { activateBackend, tf } from '../shared/index.js';

const device = 'CPU, 1 thread, plain JavaScript';

/** The reference: TensorFlow.js's plain JavaScript loops, unchanged; always available, slow. */
export const cpu: Engine = {
  name: 'cpu',
  fusedKernels: {},
  normActivations: [],
  async probe() {
    return { available: true, device };
  },
  async activate() {
    await activateBackend('cpu');
    return { device, version: `tfjs ${tf.version_core}` };
  },
};
