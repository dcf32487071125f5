import { cpu } from './cpu/index.js';
import { cuda } from './cuda/index.js';
import { native } from './native/index.js';
import type { Engine, EngineName } from './shared/index.js';
import { tf } from './shared/index.js';
import { tensorflow } from './tensorflow/index.js';
import { wasm } from './wasm/index.js';
import { webgpu } from './webgpu/index.js';

/** Every engine by name, in the order in which `auto` tries them. */
export const ENGINES: Readonly<Record<EngineName, Engine>> = { cuda, tensorflow, webgpu, native, wasm, cpu };

/** The current engine; undefined for a TensorFlow.js backend that is not one of ours. */
export function engineAtWork(): Engine | undefined {
  const engines: Readonly<Record<string, Engine | undefined>> = ENGINES;
  return engines[tf.getBackend()];
}

/** Changes the number of worker threads of the current engine, if it can; results do not depend on it. */
export function changeThreads(threads: number): void {
  engineAtWork()?.changeThreads?.(threads);
}
