import type { Engine } from './engine.js';

const why = 'not built: comes with the native kernels';
const install = 'take wasm, which runs on the same processor';

/** The place of this project's own C++ kernels among the engines; there are none yet, and it says so. */
export const native: Engine = {
  name: 'native',
  async probe() {
    return { available: false, why, install };
  },
  async activate() {
    throw new Error(`native: ${why}`);
  },
};
