import type { tf } from '../../shared/index.js';
import { createCommands } from './commands.js';
import { byteSize, type KernelContext } from './context.js';
import { createGraphs, type Graph, type GraphSource } from './graphs.js';

/** A kernel as TensorFlow.js calls it: inputs are tensors or lists of them by name. */
type AnyKernel = (inputs: never, attributes: never, backend: never) => readonly tf.TensorInfo[];
/** The same, as it is called here. */
type Call = (inputs: Inputs, attributes: object) => readonly tf.TensorInfo[];
type Inputs = Readonly<Record<string, tf.TensorInfo | readonly tf.TensorInfo[] | undefined>>;

/** What a kernel asked for while it was recorded: memory, in order. */
type Asked =
  | {
      readonly kind: 'output';
      readonly shape: number[];
      readonly dtype: 'float32' | 'int32' | 'bool';
      readonly room: number;
    }
  | { readonly kind: 'adjacent'; readonly shapes: number[][] }
  | { readonly kind: 'scratch'; readonly bytes: number };

/** The commands of a kernel for inputs of certain shapes, with places for addresses. */
interface Recording {
  readonly words: Float64Array;
  /** For each address among the words: its index, the part of memory it points into, and its distance from the part's start. */
  readonly indexes: Int32Array;
  readonly parts: Int32Array;
  readonly offsets: Float64Array;
  readonly asked: readonly Asked[];
  /** Of the results, which tensor of all that were made. */
  readonly results: readonly number[];
  readonly source: GraphSource;
}

/** While it records, part i of memory starts here; no card has so much, and no other word is so large. */
const PART = 2 ** 43;
const MOST_PARTS = 2 ** 10 - 1;
/** Kernels may take wider loads where parts start at multiples of this; what is recorded assumes that they do. */
const ALIGNMENT = 256;
/** Recordings kept; a model has one for each kind of block, direction and length. */
const MOST_RECORDINGS = 512;

function partStart(part: number): number {
  return (part + 1) * PART;
}

function* tensorsOf(inputs: Inputs): Iterable<tf.TensorInfo> {
  for (const input of Object.values(inputs)) {
    if (input === undefined) continue;
    if (Array.isArray(input)) yield* input as readonly tf.TensorInfo[];
    else yield input as tf.TensorInfo;
  }
}

function bytesAsked(asked: Asked): number {
  if (asked.kind === 'scratch') return asked.bytes;
  if (asked.kind === 'output') return byteSize({ ...asked, dataId: {} }) + asked.room;
  return asked.shapes.reduce((sum, shape) => sum + byteSize({ shape, dtype: 'float32', dataId: {} }), 0);
}

/** What the commands of a kernel depend on besides addresses. What typed arrays among the attributes hold does not count: see `recorded`. */
function keyOf(name: string, precision: string, inputs: Inputs, attributes: object): string {
  let key = `${name} ${precision}`;
  for (const [input, given] of Object.entries(inputs)) {
    key += ` ${input}`;
    if (given === undefined) continue;
    for (const { shape, dtype } of Array.isArray(given) ? given : [given]) key += `:${shape}${dtype}`;
  }
  const told: Record<string, unknown> = {};
  for (const [attribute, value] of Object.entries(attributes))
    told[attribute] = ArrayBuffer.isView(value) ? 'array' : value;
  return `${key} ${JSON.stringify(told)}`;
}

/**
 * Kernels whose commands are encoded once for inputs of the same shapes and attributes: after that only addresses are put in. For kernels that
 * decide by shapes and attributes alone, read no numbers, and do not look into typed arrays among their attributes.
 *
 * @param make makes the kernels; it is called for a context that records
 * @param moving with them, calls at the same addresses become a graph (graphs.ts); the inputs whose addresses may differ then
 */
export function recorded<Kernels extends { readonly [Name in keyof Kernels]: AnyKernel }>(
  context: KernelContext,
  make: (context: KernelContext) => Kernels,
  moving: readonly string[] = [],
): Kernels {
  const recordings = new Map<string, Recording>();
  const graphs = moving.length > 0 && context.usesGraphs ? createGraphs(context.addon) : undefined;
  const callsOf = (kernels: Kernels) => kernels as unknown as Readonly<Record<string, Call>>;
  const direct = callsOf(make(context));

  function record(name: string, inputs: Inputs, attributes: object): Recording {
    const places = new Map<object, number>();
    const asked: Asked[] = [];
    const made: tf.TensorInfo[] = [];
    const chunks: Float64Array[] = [];
    let parts = 0;
    const nextPart = (): number => {
      if (parts === MOST_PARTS) throw new Error(`${name}: expected at most ${MOST_PARTS} parts of memory`);
      return partStart(parts++);
    };
    for (const tensor of tensorsOf(inputs)) places.set(tensor.dataId, nextPart());
    const pseudo = (shape: number[], dtype: 'float32' | 'int32' | 'bool', address: number): tf.TensorInfo => {
      const tensor = { dataId: {}, shape, dtype };
      places.set(tensor.dataId, address);
      made.push(tensor);
      return tensor;
    };
    const addressOf = (tensor: tf.TensorInfo): number => {
      const place = places.get(tensor.dataId);
      if (place === undefined) throw new Error(`${name}: expected a tensor of this kernel`);
      return place;
    };
    const commands = createCommands({
      execute: (words, length) => void chunks.push(words.slice(0, length)),
    });
    const recorder: KernelContext = {
      ...context,
      commands,
      address: addressOf,
      output: (shape, dtype = 'float32', room = 0) => {
        asked.push({ kind: 'output', shape, dtype, room });
        return pseudo(shape, dtype, nextPart());
      },
      adjacentOutputs: (shapes) => {
        asked.push({ kind: 'adjacent', shapes: shapes.map((shape) => [...shape]) });
        let address = nextPart();
        return shapes.map((shape) => {
          const tensor = pseudo(shape, 'float32', address);
          address += 4 * shape.reduce((product, size) => product * size, 1);
          return tensor;
        });
      },
      scratch: (bytes) => {
        asked.push({ kind: 'scratch', bytes });
        return nextPart();
      },
    };
    const results = callsOf(make(recorder))[name](inputs, attributes);
    commands.flush();
    const words = new Float64Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let end = 0;
    for (const chunk of chunks) {
      words.set(chunk, end);
      end += chunk.length;
    }
    const indexes = Array.from(words.keys()).filter((i) => words[i] >= PART);
    const partOf = (word: number): number => Math.floor(word / PART) - 1;
    const recording: Omit<Recording, 'source'> = {
      words,
      indexes: Int32Array.from(indexes),
      parts: Int32Array.from(indexes, (i) => partOf(words[i])),
      offsets: Float64Array.from(indexes, (i) => words[i] - partStart(partOf(words[i]))),
      asked,
      results: results.map((tensor) => made.indexOf(tensor)),
    };
    return { ...recording, source: sourceOf(recording, inputs) };
  }

  function sourceOf(recording: Omit<Recording, 'source'>, inputs: Inputs): GraphSource {
    const bytes = new Map<number, number>();
    let place = 0;
    for (const [name, input] of Object.entries(inputs)) {
      for (const tensor of tensorsOf({ input })) {
        if (moving.includes(name)) bytes.set(place, byteSize(tensor));
        place++;
      }
    }
    return {
      moving: bytes,
      own: recording.asked.map(bytesAsked),
      encode: (starts) => {
        append(recording, starts);
        context.commands.flush();
      },
    };
  }

  function append({ words, indexes, parts, offsets }: Omit<Recording, 'source'>, starts: readonly number[]): void {
    context.commands.append(words, indexes, parts, offsets, starts);
  }

  /** Outputs of a recording, in new memory. */
  function makeOutputs(asked: Exclude<Asked, { kind: 'scratch' }>): tf.TensorInfo[] {
    return asked.kind === 'output'
      ? [context.output(asked.shape.slice(), asked.dtype, asked.room)]
      : context.adjacentOutputs(asked.shapes.map((shape) => shape.slice()));
  }

  function replay(recording: Recording, starts: number[]): tf.TensorInfo[] {
    const made: tf.TensorInfo[] = [];
    for (const each of recording.asked) {
      if (each.kind === 'scratch') {
        starts.push(context.scratch(each.bytes));
        continue;
      }
      const tensors = makeOutputs(each);
      made.push(...tensors);
      starts.push(tensors.length === 0 ? 0 : context.address(tensors[0]));
    }
    append(recording, starts);
    return recording.results.map((i) => made[i]);
  }

  function launch(recording: Recording, graph: Graph, inputs: readonly number[]): tf.TensorInfo[] {
    const made: tf.TensorInfo[] = [];
    for (const [i, bytes] of recording.source.moving) context.commands.copy(graph.starts[i], inputs[i], bytes);
    context.commands.flush();
    context.addon.launchGraph(graph.id);
    for (const [i, each] of recording.asked.entries()) {
      if (each.kind === 'scratch') continue;
      const tensors = makeOutputs(each);
      made.push(...tensors);
      const bytes = recording.source.own[i];
      if (tensors.length > 0)
        context.commands.copy(context.address(tensors[0]), graph.starts[inputs.length + i], bytes);
    }
    return recording.results.map((i) => made[i]);
  }

  const call = (name: string, inputs: Inputs, attributes: object): readonly tf.TensorInfo[] => {
    const starts: number[] = [];
    let isAligned = true;
    for (const tensor of tensorsOf(inputs)) {
      const address = context.address(tensor);
      if (address % ALIGNMENT !== 0) isAligned = false;
      starts.push(address);
    }
    if (!isAligned) return direct[name](inputs, attributes);
    const key = keyOf(name, context.precision(), inputs, attributes);
    let recording = recordings.get(key);
    if (recording === undefined) {
      recording = record(name, inputs, attributes);
      if (recordings.size === MOST_RECORDINGS) recordings.clear();
      recordings.set(key, recording);
    }
    if (graphs === undefined) return replay(recording, starts);
    context.commands.flush();
    const graph = graphs.of(recording.source, starts);
    return graph === undefined ? replay(recording, starts) : launch(recording, graph, starts);
  };
  const wrapped = Object.keys(direct).map((name) => [
    name,
    (inputs: Inputs, attributes: object) => call(name, inputs, attributes),
  ]);
  return Object.fromEntries(wrapped) as Kernels;
}
