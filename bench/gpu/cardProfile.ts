import type { CudaAddon, DeviceMemory } from '../../src/engine/cuda/addon.js';
import { OPCODES } from '../../src/engine/cuda/kernels/commands.js';
import { loadAddon } from '../../src/engine/native/addon.js';

/** The addon's functions for the card; undefined where it was built without them. */
export function cudaAddon(): CudaAddon | undefined {
  const addon = loadAddon();
  return 'reason' in addon ? undefined : (addon as unknown as { readonly cuda?: CudaAddon }).cuda;
}

/** Device memory of engine cuda; undefined before it was opened. */
export function deviceMemory(): DeviceMemory | undefined {
  try {
    return cudaAddon()?.memory();
  } catch {
    return undefined;
  }
}

/** What the card spends on one kind of command in one repetition. */
export interface CardTime {
  readonly name: string;
  readonly calls: number;
  readonly milliseconds: number;
}

export interface CardProfile {
  /** Starts to take times. */
  start(): void;
  /** Waits; times of each kernel, product shape, fill and copy, longest first. */
  stop(repetitions: number): CardTime[];
}

type Mutable = { -readonly [Key in keyof CudaAddon]: CudaAddon[Key] };

/**
 * Puts marks around every command that is sent to the card. Prepare before the engine is selected, since names of kernels are
 * seen when they are loaded. A command then takes at least its launch.
 */
export function prepareCardProfile(): CardProfile {
  const addon = cudaAddon() as Mutable | undefined;
  if (addon === undefined) throw new Error('profile: expected an addon with the functions of engine cuda');
  const { execute, loadKernels, beginCapture, endCapture, launchGraph } = addon;
  const names = new Map<number, string>();
  let running = false;
  let capturing = false;
  const spans: { readonly name: string; readonly from: number; readonly to: number }[] = [];
  const measured = (name: string, work: () => void): void => {
    const from = addon.mark();
    work();
    spans.push({ name, from, to: addon.mark() });
  };
  addon.loadKernels = (cubin, wanted) => {
    const ids = loadKernels(cubin, wanted);
    ids.forEach((id, i) => {
      names.set(id, wanted[i]);
    });
    return ids;
  };
  addon.beginCapture = () => {
    capturing = true;
    beginCapture();
  };
  addon.endCapture = () => {
    capturing = false;
    return endCapture();
  };
  addon.launchGraph = (id) => (running ? measured(`graph ${id}`, () => launchGraph(id)) : launchGraph(id));
  addon.execute = (words, length) => {
    if (!running || capturing) {
      execute(words, length);
      return;
    }
    for (let at = 0; at < length; ) {
      const { size, name } = commandAt(words, at, names);
      const command = words.slice(at, at + size);
      measured(name, () => execute(command, size));
      at += size;
    }
  };
  return {
    start: () => {
      running = true;
    },
    stop: (repetitions) => {
      running = false;
      const sums = new Map<string, { calls: number; milliseconds: number }>();
      for (const { name, from, to } of spans) {
        const before = sums.get(name) ?? { calls: 0, milliseconds: 0 };
        sums.set(name, { calls: before.calls + 1, milliseconds: before.milliseconds + addon.elapsed(from, to) });
      }
      for (const { from, to } of spans) for (const id of [from, to]) addon.freeMark(id);
      spans.length = 0;
      return [...sums]
        .map(([name, { calls, milliseconds }]) => ({
          name,
          calls: calls / repetitions,
          milliseconds: milliseconds / repetitions,
        }))
        .sort((a, b) => b.milliseconds - a.milliseconds);
    },
  };
}

/** Words and name of the command that starts at a place. */
function commandAt(
  words: Float64Array,
  at: number,
  names: ReadonlyMap<number, string>,
): { readonly size: number; readonly name: string } {
  switch (words[at]) {
    case OPCODES.launch: {
      let end = at + 8;
      for (let left = words[at + 7]; left > 0; left--) end += words[end] >= 4 ? 2 + words[end + 1] : 2;
      return { size: end - at, name: names.get(words[at + 1]) ?? `kernel ${words[at + 1]}` };
    }
    case OPCODES.product: {
      const types = ['f32', 'bf16'];
      const [operands, result] = [types[words[at + 4]], types[words[at + 5]]];
      const letters = `${words[at + 7] ? 'T' : 'N'}${words[at + 8] ? 'T' : 'N'}`;
      const shape = `${words[at + 9]}·${words[at + 10]}·${words[at + 11]}`;
      const batch = words[at + 15] > 1 ? `[${words[at + 15]}] ` : '';
      return { size: 21, name: `product ${batch}${shape} ${letters} ${operands}→${result}` };
    }
    case OPCODES.fill:
      return { size: 4, name: 'fill' };
    case OPCODES.copy:
      return { size: 4, name: 'copy' };
    default:
      throw new Error(`profile: expected a command, got the opcode ${words[at]}`);
  }
}
