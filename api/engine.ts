import { chooseEngine } from './internal/currentEngine.js';

/**
 * Name of an engine: `cuda` (this package's kernels on an NVIDIA card), `tensorflow` (CUDA through TensorFlow's C library),
 * `webgpu` (any GPU), `native` (this package's C++ kernels, CPU), `wasm`, `cpu` (plain JavaScript). `auto`: the first of them that works here.
 */
export type EngineChoice = 'auto' | 'cuda' | 'tensorflow' | 'webgpu' | 'native' | 'wasm' | 'cpu';

/** Settings of an engine. */
export interface EngineSettings {
  /** Worker threads of `native`, at least 1; one per physical core by default. */
  readonly threads?: number;
  /** Accept a GPU that is emulated on the CPU (slow). False by default. */
  readonly allowSoftwareAdapter?: boolean;
}

/** The engine at work. */
export interface SelectedEngine {
  /** One of {@link EngineChoice}, never `auto`. */
  readonly name: string;
  /** What it runs on. */
  readonly device: string;
  /** Why it was taken. */
  readonly why: string;
  /** Versions of the packages it is made of. */
  readonly version: string;
  /** Worker threads, where the engine has a choice of them. */
  readonly threads?: number;
}

/**
 * Chooses the engine that models loaded from now on compute on. Without a call, the first model loaded takes `auto`.
 *
 * @throws ConfigError when a named engine does not work here, with what to install, and for an unknown name
 * @example
 * ```ts
 * const { name, device } = await selectEngine('native', { threads: 4 });
 * ```
 */
export function selectEngine(choice: EngineChoice, settings: EngineSettings = {}): Promise<SelectedEngine> {
  return chooseEngine(choice, settings);
}
