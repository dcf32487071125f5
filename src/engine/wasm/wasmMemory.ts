import { type WasmMemory, webAssembly } from './kernels/index.js';

/**
 * Watches for the wasm backend being created, to get at its linear memory, which the backend itself does not hand out:
 * of all instances made from now on, the last that exports a memory is taken.
 *
 * @returns ends the watch (`WebAssembly.instantiate` is put back) and gives the memory, undefined when none was seen
 */
export function prepareWasmMemory(): () => WasmMemory | undefined {
  const original = webAssembly.instantiate;
  let memory: WasmMemory | undefined;
  const watched: typeof original = async (source, imports) => {
    const result = await original.call(webAssembly, source, imports);
    const { exports } = 'instance' in result ? result.instance : result;
    for (const exported of Object.values(exports)) {
      if (exported instanceof webAssembly.Memory) memory = exported;
    }
    return result;
  };
  webAssembly.instantiate = watched;
  return () => {
    if (webAssembly.instantiate === watched) webAssembly.instantiate = original;
    return memory;
  };
}
