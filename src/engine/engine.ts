/** @file What an engine is: a TensorFlow.js backend, how to find out whether it can work here, and how to start it. */

/** Every engine, fastest first; `auto` tries them in this order. */
export const ENGINE_NAMES = ['tensorflow', 'webgpu', 'native', 'wasm', 'cpu'] as const;

export type EngineName = (typeof ENGINE_NAMES)[number];

/**
 * What the operands of large products are rounded to in training steps: not at all, or to bf16, which only native has, on a
 * processor with AVX512-BF16. Sums, and everything that is stored, are float32 in both.
 */
export const MATMUL_PRECISIONS = ['highest', 'bf16'] as const;

export type MatmulPrecision = (typeof MATMUL_PRECISIONS)[number];

export interface EngineOptions {
  /** Accept an accelerator that is emulated on the CPU: slow, for checks on machines without a GPU. Default false. */
  readonly allowSoftwareAdapter?: boolean;
  /** Worker threads of `native`, at least 1; by default one per physical core. The other engines have no such choice. */
  readonly threads?: number;
  /** What training will ask for; an engine that does not have it is refused. Default 'highest'. */
  readonly matmulPrecision?: MatmulPrecision;
}

/** Whether an engine can work on this machine; `install` says what to do about it. */
export type EngineProbe =
  | { readonly available: true; readonly device: string }
  | { readonly available: false; readonly why: string; readonly install: string };

/** The engine at work: what it runs on, why it was taken, and which package versions it is made of. */
export interface EngineInfo {
  readonly name: EngineName;
  readonly device: string;
  readonly why: string;
  readonly version: string;
  /** Worker threads, of an engine that has a choice of them. */
  readonly threads?: number;
  /** Of products in training steps, where it is not 'highest'. */
  readonly matmulPrecision?: 'bf16 by AMX' | 'bf16 by AVX512-BF16' | 'bf16 emulated';
}

export interface Engine {
  readonly name: EngineName;
  /** Looks without changing anything that later tensors depend on; never throws. */
  probe(options?: EngineOptions): Promise<EngineProbe>;
  /** Makes the backend the current one; throws when it cannot work. Repeating it is cheap. */
  activate(options?: EngineOptions): Promise<Omit<EngineInfo, 'name' | 'why'>>;
}
