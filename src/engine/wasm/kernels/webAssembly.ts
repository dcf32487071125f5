/** @file The part of the WebAssembly interface used here; TypeScript has its types only among those of browsers. */

export interface WasmMemory {
  /** Another object after the memory has grown; never keep it. */
  readonly buffer: ArrayBuffer;
}

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

interface WebAssemblyInterface {
  /** Compiles bytes, or instantiates a module that is compiled already (then the instance itself is the result). */
  instantiate(source: unknown, imports?: unknown): Promise<WasmInstance | { instance: WasmInstance }>;
  readonly Memory: new (size: { initial: number }) => WasmMemory;
}

export const webAssembly = (globalThis as unknown as { WebAssembly: WebAssemblyInterface }).WebAssembly;
