import { cpu } from './cpu/index.js';
import type { Engine, EngineName } from './shared/index.js';
import { tf } from './shared/index.js';
import { wasm } from './wasm/index.js';
import { webgpu } from './webgpu/index.js';

/** An engine that a browser cannot have. */
function absent(name: EngineName): Engine {
  const why = 'it needs Node';
  return {
    name,
    fusedKernels: {},
    normActivations: [],
    probe: async () => ({ available: false, why, install: 'use webgpu, wasm or cpu' }),
    activate: async () => {
      throw new Error(why);
    },
  };
}

/** As in Node: every engine by name, in the order in which `auto` tries them. */
export const ENGINES: Readonly<Record<EngineName, Engine>> = {
  cuda: absent('cuda'),
  tensorflow: absent('tensorflow'),
  webgpu,
  native: absent('native'),
  wasm,
  cpu,
};

export function engineAtWork(): Engine | undefined {
  const engines: Readonly<Record<string, Engine | undefined>> = ENGINES;
  return engines[tf.getBackend()];
}

export function changeThreads(threads: number): void {
  engineAtWork()?.changeThreads?.(threads);
}
