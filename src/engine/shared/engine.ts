/** @file What an engine is: a TensorFlow.js backend, how to find out whether it can work here, how to start it, and what it can do. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { InputArray } from './inputArray.js';
import type { FusedKernelDeclarations } from './kernelContract.js';

/** Every engine, fastest first; `auto` tries them in this order. */
export const ENGINE_NAMES = ['cuda', 'tensorflow', 'webgpu', 'native', 'wasm', 'cpu'] as const;

export type EngineName = (typeof ENGINE_NAMES)[number];

/**
 * What the operands of large products are rounded to in training steps: not at all, to tf32 (10 bits after the point) or to
 * bf16 (7 bits), where the engine and the machine have it. Sums, parameters and what the optimizer stores are float32 in all.
 */
export const MATMUL_PRECISIONS = ['highest', 'tf32', 'bf16'] as const;

export type MatmulPrecision = (typeof MATMUL_PRECISIONS)[number];

/** A precision that not every engine and machine has. */
export type ReducedPrecision = Exclude<MatmulPrecision, 'highest'>;

export interface EngineOptions {
  /** Accept an accelerator that is emulated on the CPU: slow, for checks on machines without a GPU. Default false. */
  readonly allowSoftwareAdapter?: boolean;
  /** Worker threads, at least 1, of an engine with a choice of them; by default one per physical core. */
  readonly threads?: number;
  /** What training will ask for; an engine that does not have it is refused. Default 'highest'. */
  readonly matmulPrecision?: MatmulPrecision;
  /** The code of wasm, for a browser; in Node it is read from the packages. */
  readonly wasmCode?: { readonly backend: Uint8Array; readonly kernels: Uint8Array };
}

/** Whether an engine can work on this machine; `install` says what to do about it. */
export type EngineProbe =
  | { readonly available: true; readonly device: string }
  | { readonly available: false; readonly why: string; readonly install: string };

/** The current engine: what it runs on, why it was chosen, and its package versions. */
export interface EngineInfo {
  readonly name: EngineName;
  readonly device: string;
  readonly why: string;
  readonly version: string;
  /** Worker threads, if the engine can choose. */
  readonly threads?: number;
  /** Of products in training steps, where it is not 'highest'. */
  readonly matmulPrecision?: 'bf16 emulated' | `${ReducedPrecision} by ${string}`;
}

/**
 * What multiplies in a reduced precision ('emulation': float32 instructions in its place, slow, for tests), or what is missing
 * for it.
 */
export type PrecisionSupport = { readonly by: string } | { readonly missing: string };

/** An engine whose large products may take operands in reduced precision. */
export interface MatmulPrecisionControl {
  /** Those that it has code for. */
  readonly precisions: readonly ReducedPrecision[];
  /** What a machine needs for them, as 'a processor with AVX512-BF16'. */
  readonly needs: string;
  /** The fastest way to compute in one of `precisions` on this machine; the engine need not be started. */
  support(precision: ReducedPrecision): PrecisionSupport;
  /** Sets the precision of products from now on; throws where it is not supported. */
  set(precision: MatmulPrecision): void;
}

/** Names of a running backend's kernels: those in compiled code, and those left to plain JavaScript. */
export interface KernelOrigins {
  readonly compiled: readonly string[];
  readonly javaScript: readonly string[];
}

/** A computation that the engine runs again without its JavaScript, on other numbers of the same shapes. */
export interface RecordedComputation {
  /**
   * Runs it; the tensors are the same each time, with other numbers.
   *
   * @returns undefined once one of the parameters is elsewhere: it must then be disposed
   */
  run(inputs: readonly InputArray[]): readonly Tensor[] | undefined;
  dispose(): void;
}

/** Records computations. */
export interface ComputationRecorder {
  /** Whether to record what takes so long: in JavaScript, and after it until the engine is done. */
  pays(issueMs: number, restMs: number): boolean;
  /**
   * Records a computation without running it.
   *
   * @param inputs only their shapes count
   * @param parameters what it reads besides: updated in place from run to run, or unchanged
   * @returns undefined where something in it cannot be recorded
   */
  record(
    inputs: readonly InputArray[],
    parameters: readonly Tensor[],
    compute: (inputs: readonly Tensor[]) => readonly Tensor[],
  ): RecordedComputation | undefined;
}

export interface Engine {
  /** Also the name of its TensorFlow.js backend. */
  readonly name: EngineName;
  /** Whether it goes on computing after a call has returned, so that the caller can do something else meanwhile. */
  readonly computesAside?: true;
  /** The fused operations it has kernels for; the others run by reference. */
  readonly fusedKernels: FusedKernelDeclarations;
  /** The Θ (`normActivation`) that its Pattention kernels have code for; empty without such kernels. */
  readonly normActivations: readonly string[];
  /** Looks without changing anything that later tensors depend on; never throws. */
  probe(options?: EngineOptions): Promise<EngineProbe>;
  /** Makes the backend the current one; throws when it cannot work. Cheap to repeat. */
  activate(options?: EngineOptions): Promise<Omit<EngineInfo, 'name' | 'why'>>;
  readonly matmulPrecision?: MatmulPrecisionControl;
  /** Of the running engine, if it can record computations. */
  readonly recorder?: () => ComputationRecorder | undefined;
  /** Changes the number of worker threads while the engine runs; results do not depend on it. */
  readonly changeThreads?: (threads: number) => void;
  /** The kernels of the running backend, of an engine that leaves some to plain JavaScript; none before it was started. */
  readonly kernelOrigins?: () => KernelOrigins;
}
