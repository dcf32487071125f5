import type { CudaAddon } from '../addon.js';

/** Commands to make a graph of. Their parts of memory are the inputs, then what is the graph's own. */
export interface GraphSource {
  /** Sends the commands, for parts of memory that start at these addresses. */
  encode(starts: readonly number[]): void;
  /** Bytes of the inputs whose addresses change from call to call, by their place among the inputs. */
  readonly moving: ReadonlyMap<number, number>;
  /** Bytes of each part behind the inputs: outputs and scratch. */
  readonly own: readonly number[];
}

export interface Graph {
  readonly id: number;
  /** Where each part of memory starts for the graph. */
  readonly starts: readonly number[];
}

export interface Graphs {
  /** The graph of a source for inputs at these addresses; undefined while there is none. */
  of(source: GraphSource, inputs: readonly number[]): Graph | undefined;
}

/** Calls at the same addresses that come before a graph is made of them: to make one costs about as much. */
const CALLS_BEFORE = 3;
/** Graphs and counted addresses that are kept; the least recently used go first. */
const MOST_KEPT = 32;

interface Kept {
  calls: number;
  graph?: Graph;
  /** Memory of the graph. */
  readonly owned: number[];
}

/**
 * CUDA graphs of commands that come again with the same addresses, as those of a decoding step do: the driver then starts them all at
 * once. Before it launches a graph, the caller copies the moving inputs to where the graph reads them; after that, the outputs from where it
 * wrote them.
 */
export function createGraphs(
  addon: Pick<CudaAddon, 'allocate' | 'free' | 'beginCapture' | 'endCapture' | 'freeGraph'>,
): Graphs {
  const ids = new WeakMap<GraphSource, number>();
  let nextId = 0;
  const kept = new Map<string, Kept>();

  function drop({ graph, owned }: Kept): void {
    if (graph !== undefined) addon.freeGraph(graph.id);
    for (const address of owned) addon.free(address);
  }

  function keyOf(source: GraphSource, inputs: readonly number[]): string {
    const id = ids.get(source) ?? nextId++;
    ids.set(source, id);
    return `${id} ${inputs.filter((_, i) => !source.moving.has(i))}`;
  }

  /** Undefined where the card has no room for it. */
  function record({ encode, moving, own }: GraphSource, inputs: readonly number[], owned: number[]): Graph | undefined {
    const allocate = (bytes: number): number => {
      const address = addon.allocate(Math.max(1, bytes));
      owned.push(address);
      return address;
    };
    let starts: number[];
    try {
      starts = inputs.map((address, i) => (moving.has(i) ? allocate(moving.get(i) as number) : address));
      for (const bytes of own) starts.push(allocate(bytes));
    } catch (error) {
      if ((error as { code?: string }).code !== 'CUDA_OUT_OF_MEMORY') throw error;
      return undefined;
    }
    addon.beginCapture();
    try {
      encode(starts);
    } catch (error) {
      addon.freeGraph(addon.endCapture());
      throw error;
    }
    return { id: addon.endCapture(), starts };
  }

  return {
    of: (source, inputs) => {
      const key = keyOf(source, inputs);
      const entry = kept.get(key) ?? { calls: 0, owned: [] };
      kept.delete(key);
      kept.set(key, entry);
      if (kept.size > MOST_KEPT) {
        const [oldest] = kept;
        kept.delete(oldest[0]);
        drop(oldest[1]);
      }
      entry.calls++;
      if (entry.calls <= CALLS_BEFORE) return undefined;
      if (entry.graph === undefined) {
        entry.graph = record(source, inputs, entry.owned);
        if (entry.graph === undefined) {
          drop(entry);
          entry.owned.length = 0;
          entry.calls = 0;
        }
      }
      return entry.graph;
    },
  };
}
